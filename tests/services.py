"""MariaDB and Redis for one test run: private, on free ports, gone when the run ends.

Only the standard library, since it also decides whether the drivers can be installed.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START_SECONDS = 60
STOP_SECONDS = 15
ROOMY = 4 * 2**30

# program that shows the package is there -> the Debian packages that bring it
PACKAGES = {
    "mariadbd": ("mariadb-server",),
    "redis-server": ("redis-server",),
    "mariadb_config": ("default-libmysqlclient-dev", "build-essential", "pkg-config"),
    "chromium": ("chromium",),
    "curl": ("curl",),
    "xgettext": ("gettext",),
}


@dataclass(frozen=True)
class Service:
    """A running server: how to reach it and what it says it is."""

    url: str
    version: str


class ServiceError(Exception):
    """The server did not start; the text says why."""


def find_program(*names: str) -> str | None:
    """The first of these programs on the path or where Debian puts servers."""
    places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return next((found for name in names if (found := shutil.which(name, path=places))), None)


def missing_programs() -> list[str]:
    return [name for name in PACKAGES if not find_program(name)]


def install_packages(programs: list[str]) -> None:
    """Install what brings these programs, where that is possible: Debian, as root."""
    if not programs or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    packages = [package for program in programs for package in PACKAGES[program]]
    print("installing", *packages, file=sys.stderr, flush=True)
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "-qq"]
    install = ["install", "--yes", "--no-install-recommends"]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    for command in ([*apt, "update"], [*apt, *install, *packages]):
        subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=False,
        )


@contextmanager
def mariadb() -> Iterator[Service]:
    """A MariaDB whose own clock is eight hours off, so that a forgotten time zone shows."""
    server, installer = find_program("mariadbd"), find_program("mariadb-install-db")
    if not server or not installer:
        raise ServiceError("MariaDB is not installed")
    with _folder("copydesk-mariadb-") as folder:
        as_root = ["--user=root"] if os.geteuid() == 0 else []
        password = secrets.token_hex(8)
        (folder / "init.sql").write_text(
            f"CREATE USER 'copydesk'@'%' IDENTIFIED BY '{password}';\n"
            "GRANT ALL ON *.* TO 'copydesk'@'%' WITH GRANT OPTION;\n"
            "CREATE DATABASE copydesk CHARACTER SET utf8mb4;\n"
        )
        with (folder / "install.log").open("w") as log:
            made = subprocess.run(
                [
                    installer,
                    "--no-defaults",
                    f"--datadir={folder}/data",
                    "--auth-root-authentication-method=normal",
                    "--skip-test-db",
                    *as_root,
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if made.returncode:
            raise ServiceError((folder / "install.log").read_text()[-1000:])
        (folder / "tmp").mkdir()
        options = [
            "--no-defaults",
            f"--datadir={folder}/data",
            # Where it is shared, a server that starts deletes the temporary tables of the others.
            f"--tmpdir={folder}/tmp",
            f"--socket={folder}/sock",
            f"--pid-file={folder}/pid",
            f"--init-file={folder}/init.sql",
            "--bind-address=127.0.0.1",
            "--default-time-zone=+08:00",
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_unicode_ci",
            "--max-connections=300",
            # A throwaway: it need not survive the machine.
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-doublewrite=0",
            "--innodb-buffer-pool-size=256M",
            "--innodb-log-file-size=64M",
            "--skip-log-bin",
            "--skip-name-resolve",
            *as_root,
        ]
        command = [server, *options]
        with _running(lambda port: [*command, f"--port={port}"], _mysql_version, folder) as found:
            port, version = found
            url = f"mysql://copydesk:{password}@127.0.0.1:{port}/copydesk"
            yield Service(url=url, version=f"MariaDB {version}")


@contextmanager
def redis() -> Iterator[Service]:
    """A Redis that keeps nothing on disk."""
    server = find_program("redis-server", "valkey-server")
    if not server:
        raise ServiceError("Redis is not installed")
    with _folder("copydesk-redis-") as folder:
        options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
        command = [server, *options]
        with _running(
            lambda port: [*command, "--port", str(port)], _redis_version, folder
        ) as found:
            port, version = found
            yield Service(url=f"redis://127.0.0.1:{port}/0", version=f"Redis {version}")


def die_with_parent() -> None:
    """Ask Linux to end this child when its parent dies, however it dies."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


def roomy_memory() -> str | None:
    """Where files never wait for a disk, if there is plenty of it; whoever sets TMPDIR chooses."""
    shared = Path("/dev/shm")
    if "TMPDIR" in os.environ or not shared.is_dir():
        return None
    return str(shared) if shutil.disk_usage(shared).free >= ROOMY else None


@contextmanager
def _folder(prefix: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=roomy_memory()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(
    command: Callable[[int], list[str]], version: Callable[[int], str | None], folder: Path
) -> Iterator[tuple[int, str]]:
    """Start a server on a free port, wait until it answers, end it by its own process id."""
    with (folder / "server.log").open("w") as log:
        port = _free_port()
        process = subprocess.Popen(
            command(port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one thread here
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while (answer := version(port)) is None:
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServiceError((folder / "server.log").read_text()[-1000:])
            time.sleep(0.05)
        yield port, answer
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _mysql_version(port: int) -> str | None:
    """The version in the server's greeting: four bytes of length, a ten, then text up to NUL."""
    greeting = _answer(port, b"")
    if len(greeting) < 6 or greeting[4] != 10:
        return None
    text = greeting[5:].split(b"\0")[0].decode("ascii", "replace")
    return text.removeprefix("5.5.5-").split("-")[0]


def _redis_version(port: int) -> str | None:
    lines = _answer(port, b"INFO server\r\n").decode("ascii", "replace").splitlines()
    return next(
        (line.partition(":")[2] for line in lines if line.startswith("redis_version:")), None
    )


def _answer(port: int, question: bytes) -> bytes:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(question)
            return connection.recv(4096)
    except OSError:
        return b""
