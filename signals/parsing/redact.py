"""A payload as it may be stored and shown: what looks like a secret is blanked out."""

from __future__ import annotations

import json
import re

MAX_BYTES = 64 * 1024
BLANK = '"***"'
# Many times what the parts of a payload come to that is read; the rest of a longer one is not kept.
MAX_TOKENS = 6000

_SECRET_WORDS = (
    "secret",
    "passphrase",
    "password",
    "passwd",
    "token",
    "signature",
    "credential",
    "authorization",
)
_SECRET_ENDINGS = ("key", "sign", "auth", "pwd")

_STRING = r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)'
_TOKEN = re.compile(
    rf'(?P<string>{_STRING})|(?P<space>\s+)|(?P<mark>[\[\]{{}}:,])|(?P<word>[^\s\[\]{{}}:,"]+)',
    re.DOTALL,
)
# Possessive and anchored, so that 64 KiB of letters or blanks are scanned once.
_ASSIGNMENT = re.compile(
    r"(?<![\w.-])(?P<name>[\w.-]++)(?P<mark>['\s]*+[=:]\s*+)(?P<value>[^\s&;,\"{}\[\]]++)"
)


def redacted_raw(raw: bytes) -> str:
    """The payload's text without the values of keys that look secret, at most 64 KiB.

    Works on tokens rather than on parsed JSON, so a payload that is refused is blanked too.
    For text that is no JSON at all it does its best: `name=value` and `name: value`. What has
    more words than any payload that is read ends with "…" behind the first thousands.
    """
    text = raw[:MAX_BYTES].decode("utf-8", "backslashreplace")
    blanked = _ASSIGNMENT.sub(_blank_assignment, _blank_json(text))
    return blanked.encode()[:MAX_BYTES].decode("utf-8", "ignore")


def looks_secret(key: str) -> bool:
    """Is this the name of something nobody else may read?"""
    plain = re.sub(r"[^a-z0-9]", "", key.lower())
    return plain.endswith(_SECRET_ENDINGS) or any(word in plain for word in _SECRET_WORDS)


def _blank_json(text: str) -> str:
    """Blank the value after each secret key: one scalar, or everything inside its brackets."""
    kept: list[str] = []
    last_string = ""
    awaiting = False  # behind `"secret":`, before its value
    depth = 0  # inside a secret value's brackets
    for number, token in enumerate(_TOKEN.finditer(text)):
        if number == MAX_TOKENS:
            kept.append("…")
            break
        kind, written = token.lastgroup, token[0]
        hidden = awaiting or depth > 0
        if kind == "mark":
            opens, closes = written in "[{", written in "]}"
            depth += (opens and hidden) - (closes and depth > 0)
            awaiting = written == ":" and looks_secret(_decoded(last_string))
            kept.append(written)
        elif kind == "space" or not hidden:
            kept.append(written)
        else:
            kept.append(BLANK)
            awaiting = False
        if kind != "space":
            last_string = written if kind in ("string", "word") else ""
    return "".join(kept)


def _decoded(string: str) -> str:
    try:
        return str(json.loads(string))
    except ValueError:
        return string


def _blank_assignment(match: re.Match[str]) -> str:
    if not looks_secret(match["name"]):
        return match[0]
    return f"{match['name']}{match['mark']}***"
