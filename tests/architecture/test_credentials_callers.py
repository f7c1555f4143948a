"""Keys are decrypted in one function, and that function is called where orders are."""

from __future__ import annotations

import ast

import pytest

from tests.architecture.test_contracts import APPS, relative, sources, tree

CALLERS = {"trading/endpoints.py"}
HARMLESS = {"NoKey", "UnreadableKey"}
SECRETS = {"api_key", "api_secret", "passphrase"}


def imports_credentials(tree: ast.AST) -> bool:
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module="customers.credentials") if any(
                name.name not in HARMLESS for name in node.names
            ):
                return True
            case ast.ImportFrom(module="customers") if any(
                name.name == "credentials" for name in node.names
            ):
                return True
            case ast.Import() if any(name.name == "customers.credentials" for name in node.names):
                return True
    return False


def reveals_a_key(tree: ast.AST) -> bool:
    """`account.api_key.reveal()` anywhere, or a reveal of what getattr finds."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="reveal", value=ast.Attribute(attr=name))):
                if name in SECRETS:
                    return True
    return False


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("from customers.credentials import credentials_for", True),
        ("from customers import credentials", True),
        ("import customers.credentials", True),
        ("from customers import models", False),
        ("from customers.credentials import NoKey", False),
        ("from customers.credentials import NoKey, credentials_for", True),
    ],
)
def test_the_test_sees_every_import(code: str, found: bool) -> None:
    assert imports_credentials(ast.parse(code)) is found


def test_only_the_senders_of_orders_and_the_check_read_keys() -> None:
    found = {relative(path) for path in sources(*APPS) if imports_credentials(tree(path))}

    assert found <= CALLERS


def test_nobody_reads_a_key_past_the_diary() -> None:
    found = {relative(path) for path in sources(*APPS) if reveals_a_key(tree(path))}

    assert found == {"customers/credentials.py"}
