"""Which dialect is read by which parser, and what it calls the parts of a signal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from signals.enums import Dialect
from signals.parsing import (
    copydesk,
    octobot,
    okx_strategy,
    okx_universal,
    openalgo,
    three_commas,
)
from signals.parsing.fields import Fields
from signals.parsing.normal import ParsedSignal

Parser = Callable[[bytes], ParsedSignal]
Reader = Callable[[Fields], ParsedSignal]


@dataclass(frozen=True, slots=True)
class Format:
    """How one dialect is read.

    `secret_in` finds the secret that a caller without signature names; `names` says what the
    normal form's fields are called here; `example` is a message with `<secret>` in its place.
    """

    parse: Parser
    secret_in: Callable[[bytes], str]
    names: Mapping[str, str]
    example: str


_D = Dialect
DIALECTS: Mapping[Dialect, Format] = {
    dialect: Format(module.parse, module.secret_in, module.NAMES, module.EXAMPLE)
    for dialect, module in (
        (_D.COPYDESK, copydesk),
        (_D.OKX_STRATEGY, okx_strategy),
        (_D.OKX_UNIVERSAL, okx_universal),
        (_D.THREE_COMMAS, three_commas),
        (_D.OCTOBOT, octobot),
        (_D.OPENALGO, openalgo),
    )
}
# The same from an object that was read already, by doors that ask no secret.
READERS: Mapping[Dialect, Reader] = {Dialect.COPYDESK: copydesk.read}


def parse(dialect: Dialect, raw: bytes) -> ParsedSignal:
    """The normal form of a payload; raises `ParseError` for anything else than a signal."""
    return DIALECTS[dialect].parse(raw)


def secret_in(dialect: Dialect, raw: bytes) -> str:
    """The secret that a payload names, or an empty text."""
    return DIALECTS[dialect].secret_in(raw)


def name_in(dialect: Dialect, field: str) -> str:
    """What a dialect calls a field of the normal form."""
    return DIALECTS[dialect].names.get(field, field)


def example(dialect: Dialect, secret: str = "") -> str:
    """A message as its sender is to be told to send it."""
    text = DIALECTS[dialect].example
    return text.replace("<secret>", secret) if secret else text
