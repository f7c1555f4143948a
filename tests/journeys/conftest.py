"""The browser that looks at a running demo."""

from __future__ import annotations

from tests.browser.conftest import browser, pictures

__all__ = ["browser", "pictures"]
