from __future__ import annotations

import hmac

import pytest

from trading.keyed import Keyed


@pytest.mark.parametrize("length", [0, 1, 32, 63, 64, 65, 200])
def test_a_digest_is_that_of_hmac_however_often_one_is_asked_for(length: int) -> None:
    key = bytes(range(length))
    keyed = Keyed(key)

    for message in (b"", b"order", b"x" * 300, b"order"):
        assert keyed.digest(message) == hmac.digest(key, message, "sha256")
