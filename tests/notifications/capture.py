"""Servers that stand in for DingTalk, WeCom and a mail server, on this machine."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DINGTALK, WECOM, SMTP = "oapi.dingtalk.com", "qyapi.weixin.qq.com", "smtp.example.org"
PATIENCE_S = 8


@dataclass(frozen=True)
class Certificate:
    """A certificate for some names, and the key to it, in one file."""

    path: str

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        return context


def make_certificate(folder: Path, *names: str) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{names[0]}.pem"
    pem = serialization.Encoding.PEM
    private = serialization.PrivateFormat.PKCS8
    path.write_bytes(
        key.private_bytes(pem, private, serialization.NoEncryption())
        + certificate.public_bytes(pem)
    )
    return Certificate(str(path))


@dataclass(frozen=True)
class Request:
    """What arrived, as it stood on the wire."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Robot:
    """An HTTPS server that keeps what it is sent and answers what it is told to.

    An answer is an errcode, a status with a body, or a word: `hang`, `drop`, `drip`.
    """

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    answers: deque[Any] = field(default_factory=deque)
    always: Any = 0
    released: threading.Event = field(default_factory=threading.Event)

    def next_answer(self) -> Any:
        return self.answers.popleft() if self.answers else self.always

    def texts(self) -> list[str]:
        """What was said, in the order it came."""
        told = [request.json["markdown"] for request in self.requests]
        return [markdown.get("text") or markdown["content"] for markdown in told]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    robot: Robot

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        self.robot.requests.append(Request(self.path, dict(self.headers), body))
        self._answer(self.robot.next_answer())

    def do_GET(self) -> None:
        self.do_POST()

    def _answer(self, answer: Any) -> None:
        self.close_connection = True
        match answer:
            case int():
                errmsg = "ok" if answer == 0 else f"internal words {answer}"
                self._write(200, json.dumps({"errcode": answer, "errmsg": errmsg}).encode())
            case (int(status), bytes(body)):
                self._write(status, body)
            case (int(status), bytes(body), dict(headers)):
                self._write(status, body, headers)
            case "hang":
                self.robot.released.wait(PATIENCE_S)
            case "drip":
                self._drip()

    def _write(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _drip(self) -> None:
        ends_at = time.monotonic() + PATIENCE_S
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while time.monotonic() < ends_at and not self.robot.released.wait(0.2):
                self.wfile.write(b"X")
        except OSError:
            return

    def log_message(self, *args: Any) -> None:
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        return None  # clients that hang up are part of the tests


@contextmanager
def robot(certificate: Certificate | None = None) -> Iterator[Robot]:
    kept = Robot()
    handler = type("Handler", (_Handler,), {"robot": kept})
    server = _Server(("127.0.0.1", 0), handler)
    if certificate is not None:
        context = certificate.server_context()
        context.sni_callback = lambda _wire, name, _context: kept.names.append(name)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    scheme = "http" if certificate is None else "https"
    kept.url = f"{scheme}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        kept.released.set()
        server.shutdown()
        server.server_close()


@dataclass
class Mail:
    """A mail server: what it took, and what it says instead when it is told to."""

    port: int = 0
    messages: list[Any] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    rcpt_says: dict[str, str] = field(default_factory=dict)
    mail_says: str = ""
    data_says: str = ""
    data_hangs: bool = False
    password: str = "smtp-password"

    async def handle_MAIL(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if self.mail_says:
            return self.mail_says
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if address in self.rcpt_says:
            return self.rcpt_says[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.data_says:
            return self.data_says
        self.messages.append(envelope)
        if self.data_hangs:
            server.transport.abort()
        return "250 OK"

    def login(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        user, password = data.login.decode(), data.password.decode()
        self.logins.append((user, password))
        return AuthResult(success=password == self.password, handled=False)


@contextmanager
def mail_server(certificate: Certificate | None = None) -> Iterator[Mail]:
    """With a certificate it asks for STARTTLS and a login, as servers on the internet do."""
    kept = Mail()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    secure: dict[str, Any] = {}
    if certificate is not None:
        secure = {
            "tls_context": certificate.server_context(),
            "require_starttls": True,
            "auth_required": True,
            "authenticator": kept.login,
        }
    controller = Controller(kept, hostname="127.0.0.1", port=port, **secure)
    controller.start()
    kept.port = port
    try:
        yield kept
    finally:
        controller.stop()
