"""What the numbers were measured on, and what must not be installed there."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

# It replaces urllib3: the sync ccxt would run on it, slower, and lose for the wrong reason.
FORBIDDEN = ("urllib3-future", "niquests")
TOLD = ("ccxt", "aiohttp", "uvloop", "Django", "celery")


def refuse_impostors() -> None:
    for name in FORBIDDEN:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        raise SystemExit(f"{name} is installed: it replaces urllib3, and nothing measured counts")


def machine() -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "python": platform.python_version(),
        "load": [round(each, 2) for each in os.getloadavg()],
        "packages": {name: metadata.version(name) for name in TOLD},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
