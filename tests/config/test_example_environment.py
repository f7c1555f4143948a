""".env.example names every setting that is read from the environment, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from config.environment import REQUIRED

ROOT = Path(__file__).resolve().parents[2]


def test_the_example_names_every_setting_and_no_other() -> None:
    settings = (ROOT / "config/settings.py").read_text()
    scripts = (ROOT / "compose.yaml").read_text() + (ROOT / "deploy/entrypoint.sh").read_text()
    example = (ROOT / ".env.example").read_text()

    markets = {
        f"OKX_{market}_{kind}_URL"
        for market in re.findall(r'_okx\("([A-Z]+)"', settings)
        for kind in ("REST", "WS")
    }
    limits = {f"LIMIT_{name}" for name in re.findall(r'_limit\("([A-Z_]+)"', settings)}
    limits |= {
        f"MARGIN_{level.upper()}_RATIO"
        for level in re.findall(r'\("([a-z]+)", "[\d.]+"\)', settings)
    }
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', settings)) | {*REQUIRED} | markets | limits
    substituted = set(re.findall(r"\$\{([A-Z_]+)", scripts))
    named = set(re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", example, re.MULTILINE))

    assert named == read | substituted | {"COPYDESK_ENV"}
