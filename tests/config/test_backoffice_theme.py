"""The theme's colours are the design's tokens, and the vendored files are what they claim."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
import unfold
from django.conf import settings

from config.backoffice.theme import UNFOLD
from config.backoffice.theme_words import THEME_WORDS

STATIC = Path(settings.BASE_DIR) / "static"
STEPS = ("50", "100", "200", "300", "400", "500", "600", "700", "800", "900", "950")


@pytest.mark.parametrize(("name", "token"), [("base", "base"), ("primary", "accent")])
def test_colours_are_the_tokens(name: str, token: str) -> None:
    css = (STATIC / "css" / "tokens.css").read_text()
    tokens = {step: re.search(rf"--cd-{token}-{step}:(#\w+)", css).group(1) for step in STEPS}

    assert UNFOLD["COLORS"][name] == tokens


@pytest.mark.parametrize("sheet", ["components.css", "portal.css"])
def test_raw_colours_stand_in_the_tokens_only(sheet: str) -> None:
    css = (STATIC / "css" / sheet).read_text()

    assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?![-\w])", re.sub(r"#[a-z][\w-]*", "", css)) == []


def test_dark_is_the_same_chosen_or_asked_for_by_the_browser() -> None:
    css = (STATIC / "css" / "tokens.css").read_text()
    chosen = re.search(r":root\.dark\{(.*?)\n\}", css, re.DOTALL).group(1)
    asked = re.search(r":root\[data-bs-theme=auto\]\{(.*?)\n\}", css, re.DOTALL).group(1)

    assert chosen == asked


def test_vendored_files_match_the_manifest() -> None:
    vendor = STATIC / "vendor"
    manifest = json.loads((vendor / "manifest.json").read_text())
    listed = {
        path: digest
        for package in manifest["packages"]
        for path, digest in package["files"].items()
    }
    found = {
        str(path.relative_to(vendor)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in vendor.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }

    assert found == listed


def _luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("kind", ["ok", "wait", "idle", "warn", "danger", "unknown", "paper"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_badges_are_readable(kind: str, theme: str) -> None:
    css = (STATIC / "css" / "tokens.css").read_text()
    light, dark = css.split(":root.dark{", 1)
    part = light if theme == "light" else dark
    ink = re.search(rf"--cd-{kind}:(#\w{{6}})", part).group(1)
    ground = re.search(rf"--cd-{kind}-soft:(#\w{{6}})", part).group(1)

    assert _contrast(ink, ground) >= 4.5


def test_the_words_taken_from_the_theme_are_still_its_own() -> None:
    """A word that it changes would be English again, without anybody noticing."""
    theme = Path(unfold.__file__).parent
    said = "".join(
        path.read_text() for kind in ("*.py", "*.html", "*.js") for path in theme.rglob(kind)
    )

    assert [word for word in THEME_WORDS if word not in said] == []
