"""Whom the embedded PostgreSQL runs as, and where that account may live.

PostgreSQL refuses to run as root: for root it runs as an unprivileged account that exists already.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from crmshift.errors import UsageError

_LONGEST_HOME = 700  # PostgreSQL itself allows 1023 bytes of any path


@dataclass(frozen=True)
class Account:
    """Whom the server runs as."""

    uid: int
    gid: int
    switch: bool  # we are root, and this is somebody else

    def popen(
        self,
        command: Sequence[str | Path],
        *,
        stdin: int = subprocess.DEVNULL,
        output: int = subprocess.DEVNULL,
        hold: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Starts a command as this account, out of reach of the terminal's ^C and of the caller's PG* variables."""
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",  # the account may have no access to ours
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            pass_fds=hold,
            start_new_session=True,
            umask=0o077,
            user=self.uid if self.switch else None,
            group=self.gid if self.switch else None,
            extra_groups=[] if self.switch else None,
        )

    def run(self, command: Sequence[str | Path], *, hold: Sequence[int] = ()) -> tuple[int, str]:
        """Runs a command to its end; its exit status and all it printed."""
        process = self.popen(command, output=subprocess.PIPE, hold=hold)
        try:
            output, _ = process.communicate()
        except BaseException:
            process.terminate()
            process.communicate()
            raise
        return process.returncode, output.decode(errors="replace")

    def own(self, path: Path) -> None:
        if self.switch:
            os.chown(path, self.uid, self.gid)

    def reaches(self, directory: Path) -> bool:
        """Whether the account can pass through the directory and everything above it."""
        for place in (directory, *directory.parents):
            status = place.stat()
            x = 0o100 if status.st_uid == self.uid else 0o010 if status.st_gid == self.gid else 0o001
            if not status.st_mode & x:
                return False
        return True


def server_account() -> Account:
    """The account to run PostgreSQL as: ours, or an unprivileged one that exists when we are root."""
    import pwd  # not on Windows

    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switch=False)
    for name in ("postgres", "pgserver", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid, switch=True)
    raise UsageError(
        "PostgreSQL does not run as root, and there is no account named nobody", hint="run as another user"
    )


def home(account: Account) -> Path:
    """A new directory for all that a server needs, under TMPDIR if the account can use that."""
    for place in dict.fromkeys((Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp"))):
        if len(os.fsencode(place)) <= _LONGEST_HOME and place.is_dir() and account.reaches(place):
            return private_directory(place, account)
    raise UsageError(
        "there is no temporary directory that PostgreSQL's account can enter", hint="set TMPDIR to one that it can"
    )


def private_directory(parent: Path, account: Account) -> Path:
    directory = Path(tempfile.mkdtemp(prefix="crmshift-", dir=parent)).absolute()
    account.own(directory)
    return directory
