"""A PostgreSQL of our own: one temporary cluster, its processes, its sockets and its directory, all gone afterwards.

Untold, it listens on no network; it creates no account, changes no permission of anything that was there before, and
touches no other cluster. Where its account cannot reach the binaries it runs a copy of them. And since a process that is
killed cleans nothing up, a small shell (the guard) waits on a pipe that closes with this process, then stops the server
and removes its files.
"""

from __future__ import annotations

import atexit
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from crmshift.embedded.account import Account, home, private_directory, server_account
from crmshift.embedded.binaries import server_version, wheel_binaries
from crmshift.errors import CrmshiftError, UsageError

SUPERUSER = "postgres"
PORT = 5432  # only names the socket file; every server has a socket directory of its own

_LONGEST_SOCKET_PATH = 103  # sun_path holds 104 bytes on macOS and 108 on Linux, one of them the final zero
_START_TIMEOUT = 60.0
_STOP_TIMEOUT = 60.0
_SETTINGS_FILE = "crmshift.conf"

# Arguments: signal, data directory, what to remove. A line of input means that nothing is left to do; the end of input,
# that whoever held the other end of the pipe is dead: this process and, if that had just begun, initdb.
_GUARD = """
trap '' HUP INT TERM
if read -r line; then exit 0; fi
signal=$1 file=$2/postmaster.pid
shift 2
if kill "-$signal" "$(head -n 1 "$file")"; then
  for tenth in $(seq 100); do [ -e "$file" ] || break; sleep 0.1; done
fi
for attempt in 1 2 3 4 5; do rm -rf -- "$@" && break; sleep 0.2; done
"""


class EmbeddedServer:
    """A running PostgreSQL that ends, and disappears, with this process at the latest."""

    version: int
    bin_dir: Path
    data_dir: Path

    def __init__(self, *, account: Account, bin_dir: Path, version: int, data_dir: Path | None) -> None:
        """Use `EmbeddedServer.start`."""
        self.version = version
        self.bin_dir = bin_dir
        self._account = account
        self._owner = os.getpid()
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._crashed = False
        self._kept = False

        self._temporary_data = data_dir is None
        self._home = home(account)
        self._program_dir = bin_dir  # where the server is run from: elsewhere if its account cannot reach that
        self._socket_dir = self._home
        if len(os.fsencode(self._home / f".s.PGSQL.{PORT}")) > _LONGEST_SOCKET_PATH:
            self._socket_dir = private_directory(Path("/tmp"), account)
        self.data_dir = self._home / "data" if data_dir is None else data_dir.absolute()

    @classmethod
    def start(
        cls,
        version: int = 18,
        *,
        data_dir: Path | None = None,
        settings: Mapping[str, str] | None = None,
        bin_dir: Path | None = None,
    ) -> Self:
        """Starts a server, with a fresh cluster unless `data_dir` names one that exists.

        `data_dir` is left in place by `stop`; without it the cluster is temporary. `bin_dir` names the binaries of any
        other PostgreSQL, whose version then counts. The settings are in force from the first start.
        """
        if os.name != "posix":
            raise UsageError("the embedded PostgreSQL needs Linux or macOS", hint="give the DSN of a server instead")
        account = server_account()
        binaries = bin_dir.absolute() if bin_dir is not None else wheel_binaries(version)
        found = server_version(binaries)
        if data_dir is not None:
            _refuse_unusable(data_dir.absolute(), account)
        server = cls(account=account, bin_dir=binaries, version=found, data_dir=data_dir)
        try:
            server._watch()
            server._prepare()
            server._configure(settings or {})
            server._launch()
        except BaseException:
            server.stop()
            raise
        atexit.register(server.stop)
        return server

    @property
    def pid(self) -> int | None:
        """The process id of the postmaster; None when it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def log(self) -> Path:
        """What the server has to say."""
        return self._home / "server.log"

    def dsn(self, dbname: str = "postgres") -> str:
        """The libpq URI of one of its databases."""
        return f"postgresql://{SUPERUSER}@/{quote(dbname, safe='')}?host={quote(str(self._socket_dir), safe='')}"

    def stop(self) -> None:
        """Stops the server and removes all that was made for it. Harmless when repeated, or after `keep`."""
        if self._kept or os.getpid() != self._owner:  # a forked child must not stop its parent's server
            return
        atexit.unregister(self.stop)
        if self._crashed:
            # The crash left shared memory that only PostgreSQL knows: the next postmaster begins by removing it.
            with suppress(CrmshiftError):
                self._launch(until="starting")
        self._halt(self._stop_signal)
        for directory in self._own_directories:
            shutil.rmtree(directory, ignore_errors=True)
        self._dismiss_guard()

    def crash(self) -> None:
        """Kills every process of the server with SIGKILL, as a power cut would. `restart` recovers."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        import psutil  # the wheel brings it

        postmaster = psutil.Process(process.pid)
        postmaster.suspend()  # so that it starts no more children
        children = postmaster.children()
        for member in (*children, postmaster):
            with suppress(psutil.NoSuchProcess):
                member.kill()
        process.wait()
        psutil.wait_procs(children, _STOP_TIMEOUT)
        self._process = None
        self._crashed = True

    def restart(self) -> None:
        """Starts the server again, after `crash` or while it runs; the data are kept."""
        self._halt(signal.SIGINT)
        self._launch()

    def keep(self) -> tuple[str, str]:
        """Lets the server outlive this process; its DSN, and the command line that stops it and removes its files."""
        pid_file = shlex.quote(str(self.data_dir / "postmaster.pid"))
        name = self._stop_signal.name.removeprefix("SIG")
        directories = shlex.join(map(str, self._own_directories))
        command = f'kill -{name} "$(head -n 1 {pid_file})" && sleep 1 && rm -rf {directories}'
        self._kept = True
        atexit.unregister(self.stop)
        self._dismiss_guard()
        if self._process is not None:
            self._process.returncode = 0  # ours no more: Python need not complain that it still runs
        return self.dsn(), command

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _stop_signal(self) -> signal.Signals:
        """A cluster that goes to the bin needs no last checkpoint."""
        return signal.SIGQUIT if self._temporary_data else signal.SIGINT

    @property
    def _own_directories(self) -> list[Path]:
        return sorted({self._home, self._socket_dir})

    def _prepare(self) -> None:
        if not self._can_execute(self._program_dir):
            self._program_dir = self._copy_of_programs()
        if (self.data_dir / "PG_VERSION").exists():
            made_by = (self.data_dir / "PG_VERSION").read_text().strip()
            if made_by != str(self.version):
                raise UsageError(
                    f"{self.data_dir} belongs to PostgreSQL {made_by}, not {self.version}",
                    hint=f"start version {made_by}, or name another directory",
                )
            return
        self.data_dir.mkdir(parents=True, mode=0o700, exist_ok=True)
        self._account.own(self.data_dir)
        command: list[str | Path] = [self._program_dir / "initdb", "-D", self.data_dir, "-U", SUPERUSER, "-A", "trust"]
        command += ["--encoding=UTF8", "--no-instructions"]
        # Compared byte by byte, with the letters of all languages known to upper() and lower().
        if self.version >= 17:
            command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        else:
            command += ["--lc-collate=C", "--lc-ctype=C.UTF-8", "--lc-messages=C"]
        if self._temporary_data:
            command.append("--no-sync")
        assert self._guard is not None and self._guard.stdin is not None
        status, output = self._account.run(command, hold=[self._guard.stdin.fileno()])
        if status:
            raise CrmshiftError(f"initdb of PostgreSQL {self.version} failed", hint=output.strip())

    def _configure(self, settings: Mapping[str, str]) -> None:
        fixed = {"port": str(PORT), "unix_socket_directories": f'"{self._socket_dir}"'}
        everything = {"listen_addresses": ""} | dict(settings) | fixed
        own = self.data_dir / _SETTINGS_FILE
        own.write_text("".join(f"{name} = {_setting(value)}\n" for name, value in everything.items()))
        self._account.own(own)
        main = self.data_dir / "postgresql.conf"
        include = f"include_if_exists '{_SETTINGS_FILE}'\n"
        if include not in main.read_text():
            with main.open("a") as file:
                file.write(include)

    def _can_execute(self, directory: Path) -> bool:
        if not self._account.switch:
            return True
        with suppress(PermissionError):
            return self._account.run([directory / "initdb", "--version"])[0] == 0
        return False

    def _copy_of_programs(self) -> Path:
        """The installation (some 30 MB) once more, where the server's account can read it."""
        installation = self.bin_dir.parent
        package = installation.parent
        copy = self._home / package.name / installation.name  # the same relative paths, by which libraries are found
        shutil.copytree(installation, copy, ignore=shutil.ignore_patterns("include", "*.a"))
        libraries = package.with_name(package.name + ".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, self._home / libraries.name)
        for folder, _, files in os.walk(self._home):
            for path in (Path(folder), *(Path(folder, name) for name in files)):
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | 0o500)
                    self._account.own(path)
        return copy / self.bin_dir.name

    def _launch(self, until: str = "ready") -> None:
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = self._account.popen([self._program_dir / "postgres", "-D", self.data_dir], output=log)
        finally:
            os.close(log)
        self._process = process
        self._crashed = False
        there = {"ready"} if until == "ready" else {"starting", "ready"}
        if not _wait_until(lambda: process.poll() is not None or self._state(process.pid) in there, _START_TIMEOUT):
            raise CrmshiftError(f"PostgreSQL {self.version} does not get ready", hint=self._last_words())
        if process.poll() is not None:
            raise CrmshiftError(f"PostgreSQL {self.version} does not start", hint=self._last_words())

    def _state(self, pid: int) -> str | None:
        """What the postmaster with this pid says of itself in the file that pg_ctl reads too."""
        try:
            lines = (self.data_dir / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return None
        return lines[7].strip() if len(lines) >= 8 and lines[0].strip() == str(pid) else None

    def _halt(self, how: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(_STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.crash()
        self._process = None

    def _watch(self) -> None:
        name = self._stop_signal.name.removeprefix("SIG")
        myself = Account(os.geteuid(), os.getegid(), switch=False)  # who made the directories, and may remove them
        self._guard = myself.popen(
            ["/bin/sh", "-c", _GUARD, "guard", name, self.data_dir, *self._own_directories], stdin=subprocess.PIPE
        )

    def _dismiss_guard(self) -> None:
        if self._guard is not None:
            with suppress(BrokenPipeError):
                self._guard.communicate(b"dismissed\n")
            self._guard = None

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


def _refuse_unusable(data_dir: Path, account: Account) -> None:
    """Raises when no server of this account can be started in a directory."""
    existing = next(place for place in (data_dir, *data_dir.parents) if place.exists())
    if not account.reaches(existing):
        raise UsageError(
            f"{data_dir} is out of reach of the account that PostgreSQL runs as",
            hint="as root, name a directory whose parents everybody may enter",
        )
    with suppress(FileNotFoundError):
        import psutil

        pid = int((data_dir / "postmaster.pid").read_text().partition("\n")[0])
        if psutil.pid_exists(pid):
            raise UsageError(f"a PostgreSQL runs in {data_dir} already", hint=f"it is process {pid}")


def _wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def _setting(value: str) -> str:
    """A value as postgresql.conf wants it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
