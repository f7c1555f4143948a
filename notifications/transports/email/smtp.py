"""A connection to an SMTP server at an address that was checked, with one deadline over all."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from django.core.mail.backends.smtp import EmailBackend

from notifications.outgoing import CONNECT_S, Way, trusted

PATIENCE_S: Final = 10.0


class _Pinned(smtplib.SMTP):
    """Connects to the given addresses; names and certificates stay those of the host."""

    def __init__(self, way: Way, opened: Callable[[Any], None], *args: Any, **kwargs: Any) -> None:
        self._way, self._opened = way, opened
        super().__init__(*args, **kwargs)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        failure: OSError = OSError("no address")
        for address in self._way.addresses:
            try:
                found = socket.create_connection((address, self._way.port), timeout)
            except OSError as error:
                failure = error
            else:
                self._opened(found)
                return found
        raise failure


class _PinnedTls(smtplib.SMTP_SSL, _Pinned):
    """The same, encrypted from the start: SMTP_SSL wraps the socket made above."""

    def __init__(self, way: Way, opened: Callable[[Any], None], *args: Any, **kwargs: Any) -> None:
        self._way, self._opened = way, opened
        smtplib.SMTP_SSL.__init__(self, *args, **kwargs)


class PinnedBackend(EmailBackend):
    """Django's SMTP connection over a given way, ended at its deadline whatever it is doing."""

    def __init__(self, way: Way, **kwargs: Any) -> None:
        super().__init__(**kwargs, timeout=CONNECT_S)
        self._way = way
        self._wire: socket.socket | None = None
        self._partial_connection: Any = None

    @property
    def connection_class(self) -> Any:
        kind = _PinnedTls if self.use_ssl else _Pinned
        return partial(kind, self._way, self._keep)

    @property
    def ssl_context(self) -> ssl.SSLContext:
        return trusted()

    def greeted(self) -> Any:
        """The open connection, encrypted and logged in where that was asked for."""
        self.open()
        smtp: Any = self.connection
        smtp.ehlo_or_helo_if_needed()
        return smtp

    def _keep(self, wire: socket.socket) -> None:
        # Servers keep wrong passwords waiting for seconds; the deadline over all is enough.
        wire.settimeout(PATIENCE_S)
        # Wrapping takes the socket itself away; a second handle can still end it.
        self._wire = wire.dup()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """End the connection when the time is over: a server may answer byte by byte."""
        timer = threading.Timer(seconds, self._end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            self._leave()

    def _end(self) -> None:
        if self._wire is not None:
            with contextlib.suppress(OSError):
                self._wire.shutdown(socket.SHUT_RDWR)

    def _leave(self) -> None:
        """Without a QUIT: what there is to know is known, and its answer may not come."""
        for connection in (self.connection, self._partial_connection):
            if connection is not None:
                connection.close()
        self.connection = self._partial_connection = None
        if self._wire is not None:
            self._wire.close()
            self._wire = None
