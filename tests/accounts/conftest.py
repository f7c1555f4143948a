"""The library app and its two desks, for every test of room 1."""

from __future__ import annotations

from tests.accounts import library

library.install()
