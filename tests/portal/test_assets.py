"""What the pages bring along is what they use."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
ICONS = ROOT / "static/vendor/bootstrap-icons"


def sources() -> str:
    files = [
        *(ROOT / "templates/portal").rglob("*.html"),
        *(ROOT / "config/portal").glob("*.py"),
        ROOT / "config/templatetags/portal.py",
    ]
    return "\n".join(path.read_text() for path in files)


def test_every_icon_that_is_named_is_there_and_no_other() -> None:
    text, there = sources(), {path.stem for path in ICONS.glob("*.svg")}

    assert set(re.findall(r'{% icon "([\w-]+)" %}', text)) <= there
    assert {name for name in there if f'"{name}"' in text} == there


def test_no_page_asks_another_host_for_anything() -> None:
    css = (ROOT / "static/css/portal.css").read_text()

    assert re.findall(r'(?:src|href|action)="https?://', sources()) == []
    assert "url(" not in css
