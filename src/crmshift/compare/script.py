"""Runs SQL files as psql does: statement by statement, so that what goes wrong has a file and a line.

Only where a statement ends is made out here; what it means is PostgreSQL's affair.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crmshift.db import Connection, translate
from crmshift.errors import DatabaseError, UsageError
from crmshift.project import read

_TOKEN = re.compile(
    r"""
    (?P<comment> --[^\n]* )
  | (?P<block> /\* )
  | [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*"
  | \$(?P<tag>[^\W\d]\w*)?\$ .*? \$(?(tag)(?P=tag))\$
  | (?P<word> [^\W\d][\w$]* )
  | (?P<mark> [();\\] )
  | \s+ | .
    """,
    re.X | re.S,
)
_BLOCK = re.compile(r"/\*|\*/")

# Of newer pg_dumps: they guard psql against what is in the dump, and mean nothing here.
_HARMLESS = re.compile(r"\\(un)?restrict\b")

_OF_THE_SERVER = re.compile(
    r"""^(
        (create|alter|drop|comment\s+on) \s+ (role|user(?!\s+mapping)|group|database|tablespace) \b
      | alter \s+ system \b | (create|alter|drop) \s+ subscription \b | (reassign|drop) \s+ owned \b
      | (grant|revoke) \s+ (?!.*\bon\b) )""",
    re.X | re.I | re.S,
)
_IN_A_BLOCK = re.compile(r"\b(create|alter|drop)\s+(role|user(?!\s+mapping)|group|database|tablespace)\b", re.I)


@dataclass(frozen=True)
class Statement:
    """One statement of a file, and the line it begins on."""

    path: Path
    line: int
    text: str

    @property
    def concerns_the_server(self) -> bool:
        """Whether it changes what all databases of a server share: roles, databases, settings."""
        words = self.text.lstrip()
        if re.match(r"do\b", words, re.I):
            return _IN_A_BLOCK.search(words) is not None
        return _OF_THE_SERVER.match(words) is not None


def statements(path: Path) -> Iterator[Statement]:
    """The statements of a file. Raises `UsageError` where it holds commands of psql, or data."""
    text = read(path)
    start: int | None = None
    words: list[str] = []
    parentheses = blocks = position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        assert token is not None  # its last alternative takes anything
        position = token.end()
        if token["block"]:
            position = _end_of_comment(text, position)
        if token["block"] or token["comment"] or token[0].isspace():
            continue
        if token["mark"] == "\\":
            end = text.find("\n", token.start())
            position = len(text) if end < 0 else end
            if not _HARMLESS.match(text, token.start()):
                raise UsageError(
                    f"{path}, line {_line(text, token.start())}: {text[token.start() : position].split()[0]} is a command of psql, or of data to copy, and not SQL.",
                    hint="Take the schema only, as pg_dump --schema-only writes it.",
                )
            continue
        if token["mark"] == ";" and not parentheses and not blocks:
            if start is not None:
                yield Statement(path, _line(text, start), text[start : token.start()])
            start, words = None, []
            continue
        start = token.start() if start is None else start
        parentheses = max(0, parentheses + {"(": 1, ")": -1}.get(token["mark"] or "", 0))
        if token["word"]:
            words.append(token["word"].lower())
            # The body of a function in standard SQL holds semicolons of its own.
            if words[0] == "create" and {"function", "procedure"} & set(words[1:4]):
                if words[-1] == "begin" or (blocks and words[-1] == "case"):
                    blocks += 1
                elif blocks and words[-1] == "end":
                    blocks -= 1
    if start is not None:
        yield Statement(path, _line(text, start), text[start:])


def run(conn: Connection, path: Path, *, server_is_ours: bool) -> None:
    """Run a file. Raises with file and line where a statement fails, or where it would change a server that is not ours."""
    import psycopg

    for statement in list(statements(path)):  # what is wrong with the file is known before anything runs
        if statement.concerns_the_server and not server_is_ours:
            raise UsageError(
                f"{path}, line {statement.line}: this changes the whole server, not only the scratch database that the file is loaded into.",
                hint="Take roles, databases and their like out of the file, or load it into a server of its own: --scratch embedded.",
            )
        try:
            conn.execute(statement.text)
        except psycopg.Error as error:
            told = translate(error)
            position = int(error.diag.statement_position or 1) - 1
            line = statement.line + statement.text.count("\n", 0, position)
            hint = told.hint
            if error.sqlstate == "42704" and "role" in told.message:
                hint = "Roles that the SQL names must exist where it is loaded."
            raise DatabaseError(f"{path}, line {line}: {told.message}", hint=hint, sqlstate=error.sqlstate) from error


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _end_of_comment(text: str, position: int) -> int:
    """Where a comment ends; comments nest."""
    depth = 1
    while depth and (found := _BLOCK.search(text, position)):
        depth += 1 if found[0] == "/*" else -1
        position = found.end()
    return position if not depth else len(text)
