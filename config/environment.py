"""What settings.py needs before Django exists: named secrets and where they come from."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from collections.abc import Mapping

MODES = ("production", "demo", "test")
REQUIRED = ("SECRET_KEY", "FIELD_KEYS", "ORDER_ID_KEY", "DEPLOYMENT_CODE", "ALLOWED_HOSTS")

TEST_SECRETS = {
    "SECRET_KEY": "test-only-secret-key-that-protects-nothing-at-all-0123456789",
    "FIELD_KEYS": "t1:dGVzdC1vbmx5LWZpZWxkLWtleS0wMTIzNDU2Nzg5MDE=",
    "ORDER_ID_KEY": "test-only-order-id-key",
    "DEPLOYMENT_CODE": "tst",
    "ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
}


def mode(environ: Mapping[str, str]) -> str:
    """The mode in COPYDESK_ENV; production unless something else is asked for."""
    name = environ.get("COPYDESK_ENV") or "production"
    if name not in MODES:
        raise ImproperlyConfigured(f"COPYDESK_ENV is {name!r}; use one of: {', '.join(MODES)}.")
    return name


def secret_values(mode: str, *, environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Every required value for this mode; the environment always wins.

    Production has no other place to take them from and names all that are missing.
    """
    given = {name: environ[name] for name in REQUIRED if environ.get(name)}
    if mode == "test":
        return TEST_SECRETS | given
    if mode == "demo":
        return _demo_secrets(folder) | given
    missing = [name for name in REQUIRED if name not in given]
    if missing:
        raise ImproperlyConfigured(
            f"Not set: {', '.join(missing)}. Production does not start without them; "
            "see .env.example. For a local demonstration run `make demo`."
        )
    return given


def _demo_secrets(folder: Path) -> dict[str, str]:
    made = {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "FIELD_KEYS": f"d1:{Fernet.generate_key().decode()}",
        "ORDER_ID_KEY": secrets.token_urlsafe(32),
        "DEPLOYMENT_CODE": f"d{secrets.token_hex(2)[:3]}",
    }
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    values = {name: _made_once(folder / name.lower(), value) for name, value in made.items()}
    return values | {"ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]"}


def _made_once(path: Path, value: str) -> str:
    """The text in `path`, written first if absent; every process reads the same one.

    A complete file is linked into place, so that a reader never sees half of it and of two
    processes starting together one wins.
    """
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(value)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text()
