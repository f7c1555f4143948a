"""Which dialect is read by which parser."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from signals.enums import Dialect
from signals.parsing import copydesk
from signals.parsing.fields import Fields
from signals.parsing.normal import ParsedSignal

Parser = Callable[[bytes], ParsedSignal]
Reader = Callable[[Fields], ParsedSignal]

DIALECTS: Mapping[Dialect, Parser] = {Dialect.COPYDESK: copydesk.parse}
# The same from an object that was read already, by doors that ask no secret.
READERS: Mapping[Dialect, Reader] = {Dialect.COPYDESK: copydesk.read}


def parse(dialect: Dialect, raw: bytes) -> ParsedSignal:
    """The normal form of a payload; raises `ParseError` for anything else than a signal."""
    return DIALECTS[dialect](raw)
