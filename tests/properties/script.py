"""A history as a psql script, so that a person can follow by hand what a machine found."""

from __future__ import annotations

from dataclasses import dataclass, field

HEAD = """\
-- On a database with sql/legacy/schema.sql, tests/support/seed.sql and crmshift apply --to parallel-operation.
-- Each session is a psql of its own; a line says where it goes on. First, in each: set lock_timeout = '{lock_timeout}';
"""


@dataclass
class Script:
    """What was executed, in its order."""

    lock_timeout: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def add(self, session: str, text: str, data: str | None = None) -> None:
        self.steps.append((session, f"{text};" if data is None else f"{text};\n{data}\\."))

    def note(self, text: str) -> None:
        """What came of the last step."""
        session, step = self.steps.pop()
        self.steps.append((session, f"{step}\n--   {text}"))

    def __str__(self) -> str:
        lines, last = [HEAD.format(lock_timeout=self.lock_timeout)], None
        for session, step in self.steps:
            if session != last:
                lines.append(f"-- session {session}")
                last = session
            lines.append(step)
        return "\n".join(lines)
