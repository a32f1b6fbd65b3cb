"""Finds the plans and SQL files: those of a project folder first, then those that came with crmshift.

A project folder has the layout of this repository (`plans/`, `sql/`) and holds only what it changes: a file there
takes the place of the packaged file of the same name.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from crmshift.errors import UsageError


@dataclass(frozen=True)
class SqlFile:
    """A SQL file: its name without folder `sql/` and suffix (`schema/customers`), and its text."""

    name: str
    path: Path
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, in hex."""
        return checksum(self.text)


def checksum(text: str) -> str:
    """SHA-256 of a text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def packaged_root() -> Path:
    """The folder with crmshift's own `plans/` and `sql/`: inside an installed package, else of the checkout."""
    package = Path(__file__).parent
    return package if (package / "sql").is_dir() else package.parents[1]


@dataclass(frozen=True)
class Project:
    """Where files are looked for, in order."""

    roots: tuple[Path, ...]

    @classmethod
    def open(cls, folder: Path | None) -> Project:
        """The project in `folder` on top of the packaged files.

        Raises `UsageError` where the folder does not exist.
        """
        if folder is None:
            return cls((packaged_root(),))
        if not folder.is_dir():
            raise UsageError(
                f"The project folder {folder} does not exist.", hint="Name an existing one with --project."
            )
        return cls((folder, packaged_root()))

    def sql(self, name: str) -> SqlFile:
        """The file `sql/<name>.sql`. Raises `UsageError` where there is none, or it cannot be read."""
        path = self._find(Path("sql", f"{name}.sql"))
        if path is None:
            raise UsageError(
                f"There is no file sql/{name}.sql.",
                hint=f"Looked in: {', '.join(str(root) for root in self.roots)}.",
            )
        return SqlFile(name, path, read(path))

    def plan(self, name: str) -> Path:
        """The path of `plans/<name>.yaml`, or `name` itself where that is a file. Raises `UsageError` where there is none."""
        if Path(name).suffix in (".yaml", ".yml"):
            if not Path(name).is_file():
                raise UsageError(f"The plan {name} does not exist.", hint="Name a file, or a plan under plans/.")
            return Path(name)
        path = self._find(Path("plans", f"{name}.yaml"))
        if path is None:
            known = sorted({p.stem for root in self.roots for p in (root / "plans").glob("*.yaml")})
            raise UsageError(f"There is no plan named {name}.", hint=f"Plans: {', '.join(known)}.")
        return path

    def _find(self, relative: Path) -> Path | None:
        return next((root / relative for root in self.roots if (root / relative).is_file()), None)


def read(path: Path) -> str:
    """Text of a file. Raises `UsageError` where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from error
