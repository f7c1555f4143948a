"""A secret in memory: it never prints, and opens only on the row it was written for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NoReturn

from accounts import keyring

MASK = "••••"


class SecretMoved(RuntimeError):  # noqa: N818 (says what happened)
    """A sealed text was found on another row, field or tenant than it was written for."""


@dataclass(frozen=True)
class Context:
    """Where a secret lives; encrypted together with it."""

    tenant: str
    row: str
    field: str


class Secret:
    """Opaque: `reveal()` is the only way to the text. Plain until the row is saved."""

    __slots__ = ("_context", "_plain", "_sealed")

    def __init__(
        self,
        *,
        plain: str | None = None,
        sealed: bytes | None = None,
        context: Context | None = None,
    ) -> None:
        if (plain is None) == (sealed is None):
            raise ValueError("a secret is either plain or sealed")
        self._plain, self._sealed, self._context = plain, sealed, context

    @property
    def sealed(self) -> bytes | None:
        """The encrypted text, or None before the row was saved."""
        return self._sealed

    @property
    def key_id(self) -> str | None:
        return None if self._sealed is None else self._sealed.partition(b":")[0].decode()

    @property
    def context(self) -> Context | None:
        return self._context

    def on_row(self, context: Context) -> Secret:
        """This secret as read from the given row. One already read elsewhere keeps its place."""
        if self._sealed is None or self._context is not None:
            return self
        return Secret(sealed=self._sealed, context=context)

    def reveal(self) -> str:
        """The text. Raises SecretMoved off its own row, SecretUnreadable without its key."""
        if self._plain is not None:
            return self._plain
        if self._context is None or self._sealed is None:
            raise SecretMoved("a secret can only be read through the row that holds it")
        content = json.loads(keyring.decrypt(self._sealed))
        if content["context"] != _as_list(self._context):
            raise SecretMoved(f"a sealed text was moved to {self._context.field}")
        return str(content["text"])

    def seal(self, context: Context) -> Secret:
        """This secret encrypted for the given row; a sealed one must already belong there."""
        if self._sealed is not None:
            if self._context not in {None, context}:
                raise SecretMoved(f"a sealed text cannot be moved to {context.field}")
            return self
        content = {"context": _as_list(context), "text": self._plain}
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return Secret(sealed=keyring.encrypt(text.encode()), context=context)

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if self._sealed is None:
            _refuse_pickle()
        return _restore, (self._sealed, self._context)


def _restore(sealed: bytes, context: Context | None) -> Secret:
    return Secret(sealed=sealed, context=context)


def _refuse_pickle() -> NoReturn:
    raise TypeError("a secret cannot be pickled before its row is saved")


def _as_list(context: Context) -> list[str]:
    return [context.tenant, context.row, context.field]
