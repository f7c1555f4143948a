"""What can go wrong at the exchange door, in our words. Sends have outcomes instead."""

from __future__ import annotations


class ExchangeError(Exception):
    """Everything this package raises on purpose."""


class ReadFailed(ExchangeError):  # noqa: N818 - says what happened
    """The question was not answered: the answer is unknown, never empty."""

    def __init__(self, code: str = "", message: str = "", http_status: int | None = None) -> None:
        super().__init__(code, message, http_status)
        self.code = code
        self.message = message
        self.http_status = http_status

    def __str__(self) -> str:
        parts = (self.code, self.message, f"HTTP {self.http_status}" if self.http_status else "")
        return " ".join(part for part in parts if part) or "no answer"


class AuthFailed(ReadFailed):
    """The exchange does not accept these credentials (or this address) for this question."""


class MalformedReport(ExchangeError):  # noqa: N818 - says what it is
    """The exchange said something we cannot read. Set it aside for a person, never guess."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field = field
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"
