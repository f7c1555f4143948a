"""A MariaDB and a Redis that may be killed and come back where they were, with what they had."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests import services

START_S = 60
STOP_S = 20
# Chosen once: a copied data folder knows its user already.
PASSWORD = "chaos"


@dataclass
class Server:
    """One server on one port for all its lives."""

    command: list[str]
    log: Path
    is_up: Callable[[], bool]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=services.die_with_parent,  # noqa: PLW1509 - nothing is held yet
            )
        end = time.monotonic() + START_S
        while not self.is_up():
            if self.process.poll() is not None or time.monotonic() > end:
                raise services.ServiceError(self.log.read_text(errors="replace")[-1000:])
            time.sleep(0.05)

    def kill(self) -> None:
        """Dead at once, without a chance to finish anything."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()


def mariadb(folder: Path, template: Path | None) -> tuple[Server, str]:
    """The server and the address of its database; with a template, what that one holds.

    What it committed survives its own death (not the machine's).
    """
    program = services.find_program("mariadbd")
    installer = services.find_program("mariadb-install-db")
    if not program or not installer:
        raise services.ServiceError("MariaDB is not installed")
    (folder / "tmp").mkdir()
    first = not (template and template.is_dir())
    if template and not first:
        shutil.copytree(template, folder / "data")
    else:
        _install(installer, folder)
    port = free_port()
    options = [
        "--no-defaults",
        "--user=root",
        f"--datadir={folder}/data",
        # Where it is shared, a server that starts deletes the temporary tables of the others.
        f"--tmpdir={folder}/tmp",
        f"--socket={folder}/sock",
        f"--port={port}",
        "--bind-address=127.0.0.1",
        "--default-time-zone=+08:00",
        "--character-set-server=utf8mb4",
        "--collation-server=utf8mb4_unicode_ci",
        "--max-connections=300",
        "--innodb-flush-log-at-trx-commit=2",
        "--innodb-buffer-pool-size=256M",
        "--innodb-log-file-size=48M",
        "--skip-log-bin",
        "--skip-name-resolve",
        *([f"--init-file={folder}/init.sql"] if first else []),
    ]
    server = Server(
        [program, *options],
        folder / "mariadb.log",
        lambda: _answers(port, b"", lambda heard: len(heard) > 5 and heard[4] == 10),
    )
    return server, f"mysql://copydesk:{PASSWORD}@127.0.0.1:{port}/copydesk"


def redis(folder: Path) -> tuple[Server, str]:
    program = services.find_program("redis-server", "valkey-server")
    if not program:
        raise services.ServiceError("Redis is not installed")
    port = free_port()
    options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = Server(
        [program, *options, "--dir", str(folder), "--port", str(port)],
        folder / "redis.log",
        lambda: _answers(port, b"PING\r\n", lambda heard: heard.startswith(b"+PONG")),
    )
    return server, f"redis://127.0.0.1:{port}/0"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def new_name() -> str:
    return secrets.token_hex(4)


def _install(installer: str, folder: Path) -> None:
    (folder / "init.sql").write_text(
        f"CREATE USER 'copydesk'@'%' IDENTIFIED BY '{PASSWORD}';\n"
        "GRANT ALL ON *.* TO 'copydesk'@'%' WITH GRANT OPTION;\n"
        "CREATE DATABASE copydesk CHARACTER SET utf8mb4;\n"
    )
    made = subprocess.run(
        [
            installer,
            "--no-defaults",
            "--user=root",
            f"--datadir={folder}/data",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ],
        capture_output=True,
        check=False,
        env={**os.environ, "TMPDIR": f"{folder}/tmp"},
    )
    if made.returncode:
        raise services.ServiceError(made.stderr.decode(errors="replace")[-1000:])


def _answers(port: int, question: bytes, is_right: Callable[[bytes], bool]) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(question)
            return is_right(connection.recv(4096))
    except OSError:
        return False
