"""What goes into the logs: one line per event, with its request id and never with a secret."""

from __future__ import annotations

import contextvars
import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")

HIDDEN = "***"
# Parts of names; what stands before one in a longer name does not matter.
_SENSITIVE = (
    r"(?:OK-ACCESS-[A-Z]+|Authorization|X-Copydesk-Signature|Cookie|sessionid"
    r"|passphrase|password|secret|api[-_]?key|token|private[-_]?key)"
)
_VALUE = (
    r"""(?:b?"(?:[^"\\]|\\.)*"|b?'(?:[^'\\]|\\.)*'|\\"(?:(?!\\").)*\\\""""
    r"""|(?:Bearer|Token|Basic)\s+\S+|[^\s,;&"'(){}\[\]]+)"""
)
# name=value, "name": "value" and ('name', 'value'), as headers, JSON, reprs and queries write them
_NAMED = re.compile(
    rf"""(?P<name>{_SENSITIVE}[\w-]{{0,40}})(?P<link>\\?["']?\s*[:=]\s*|["']\s*,\s*(?=b?["']))(?P<value>{_VALUE})""",
    re.IGNORECASE,
)
_ADDRESS_TOKEN = re.compile(r"(/hooks/t/|/portal/welcome/[^/\s]+/)[^/\s\"'?]+")
_API_TOKEN = re.compile(r"\bcpd_[0-9a-f]{8,}")
_SCHEME = re.compile(r"\b(Bearer|Token|Basic)\s+[\w.~+/=-]{8,}")
_URL_LOGIN = re.compile(r"\b(\w{1,20}://[^\s:/@]*):[^\s/@]+@")
_NAME = re.compile(_SENSITIVE, re.IGNORECASE)
_BUILT_IN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "request_id"}


def redact(text: str) -> str:
    """The text with the value of everything that names a secret replaced, line ends escaped."""
    text = _ADDRESS_TOKEN.sub(rf"\1{HIDDEN}", text)
    text = _URL_LOGIN.sub(rf"\1:{HIDDEN}@", text)
    text = _NAMED.sub(rf"\g<name>\g<link>{HIDDEN}", text)
    text = _API_TOKEN.sub(f"cpd_{HIDDEN}", text)
    text = _SCHEME.sub(rf"\1 {HIDDEN}", text)
    return text.replace("\r", "\\r").replace("\n", "\\n")


class RedactingFilter(logging.Filter):
    """Clean a record once, before any handler writes it: message, traceback and extra fields."""

    _formatter = logging.Formatter()

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), ()
        if record.exc_info and record.exc_info[0] and not record.exc_text:
            record.exc_text = self._formatter.formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = "\n".join(map(redact, record.exc_text.splitlines()))
        for name in record.__dict__.keys() - _BUILT_IN:
            record.__dict__[name] = _clean_field(name, record.__dict__[name])
        record.request_id = request_id.get()
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object per line, with whatever the caller passed as extra."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if getattr(record, "request_id", ""):
            line["request_id"] = record.__dict__["request_id"]
        line |= {name: record.__dict__[name] for name in record.__dict__.keys() - _BUILT_IN}
        if record.exc_text:
            line["traceback"] = record.exc_text
        return json.dumps(line, default=str, ensure_ascii=False)


def logging_config(*, level: str, log_format: str) -> dict[str, Any]:
    """The LOGGING setting: everything to standard error through the redacting filter."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"redact": {"()": "config.logging.RedactingFilter"}},
        "formatters": {
            "json": {"()": "config.logging.JsonFormatter"},
            "text": {"format": "%(asctime)s %(levelname)-7s %(name)s: %(message)s"},
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "filters": ["redact"],
                "formatter": "json" if log_format == "json" else "text",
            }
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django attaches handlers of its own here; one line per event is enough.
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            # ccxt and aiohttp write whole requests, keys included, at DEBUG.
            "ccxt": {"level": "WARNING"},
            "aiohttp": {"level": "WARNING"},
            "asyncio": {"level": "WARNING"},
        },
    }


def _clean_field(name: str, value: Any) -> Any:
    if _NAME.search(name):
        return HIDDEN
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, dict):
        return {str(key): _clean_field(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean_field("", item) for item in value]
    return redact(str(value))
