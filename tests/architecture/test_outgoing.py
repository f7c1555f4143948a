"""Who may open a connection: the exchange's adapter, the one outgoing client, and nobody else."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.test_contracts import APPS, relative, sources, tree

# What can reach another machine.
CLIENTS = {
    "aiohttp", "ftplib", "http.client", "httpx", "imaplib", "poplib", "requests", "smtplib",
    "socket", "telnetlib", "urllib.request", "urllib3", "websockets", "xmlrpc",
}  # fmt: skip
# Parts of aiohttp that only serve.
SERVING = {"web", "WSMsgType"}
ALLOWED = {
    "notifications/outgoing.py": "the one outgoing client",
    "notifications/transports/email/smtp.py": "SMTP, at addresses the client has checked",
    "notifications/transports/email/transport.py": "SMTP's errors by name",
    "notifications/transports/email/codes.py": "SMTP's errors by name",
    "config/demo/http.py": "the demo's own children on 127.0.0.1",
    "config/demo/processes.py": "free ports of this machine",
    "trading/paper/control.py": "the configured simulator's control API",
    "trading/leases.py": "the name of this machine",
}
FOLDERS = ("trading/exchange/", "trading/simulator/")


def opened(tree: ast.AST) -> Iterator[str]:
    """The clients a module imports."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names if _is_client(name.name))
            case ast.ImportFrom(module=str(module), names=names) if _is_client(module):
                if not (module == "aiohttp" and {name.name for name in names} <= SERVING):
                    yield module
            case ast.ImportFrom(module="http" | "urllib" as package, names=names):
                found = (f"{package}.{name.name}" for name in names)
                yield from (name for name in found if _is_client(name))


def _is_client(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in CLIENTS)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import aiohttp", ["aiohttp"]),
        ("import urllib.request", ["urllib.request"]),
        ("from urllib import request", ["urllib.request"]),
        ("from http.client import HTTPConnection", ["http.client"]),
        ("from requests.adapters import HTTPAdapter", ["requests.adapters"]),
        ("from aiohttp import web", []),
        ("from aiohttp import ClientSession, web", ["aiohttp"]),
        ("from urllib.parse import urlsplit", []),
        ("from http import HTTPStatus", []),
    ],
)
def test_the_test_sees_every_import(code: str, found: list[str]) -> None:
    assert list(opened(ast.parse(code))) == found


def test_nothing_else_opens_a_connection() -> None:
    opening = {
        relative(path): sorted(found)
        for path in sources(*APPS)
        if (found := set(opened(tree(path)))) and not relative(path).startswith(FOLDERS)
    }

    assert {path: found for path, found in opening.items() if path not in ALLOWED} == {}
    assert set(ALLOWED) <= set(opening)
