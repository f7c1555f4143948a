"""What the code promises about itself: who imports whom, exact money, no hidden flow."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = ("accounts", "config", "customers", "notifications", "signals", "strategies", "trading")
MONEY = ("accounts", "customers", "signals", "strategies", "trading")
# Here numbers are seconds, rates and probabilities.
NOT_MONEY = {
    f"trading/{name}.py"
    for name in (
        "faults",
        *(f"simulator/{part}" for part in ("__main__", "clock", "faults", "limits", "settings")),
        *(f"simulator/{part}" for part in ("actions", "scenario_file")),
    )
}


def sources(*folders: str) -> list[Path]:
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in found if "migrations" not in path.parts)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    """A source as its syntax; several tests walk through all of them."""
    return ast.parse(path.read_text())


def is_float(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id == "float"
    return isinstance(node, ast.Attribute) and node.attr == "FloatField"


def test_every_import_contract_is_kept() -> None:
    answer = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 0, answer.stdout[-4000:]


def test_money_is_never_a_float() -> None:
    floats = [
        f"{relative(path)}:{node.lineno}"
        for path in sources(*MONEY)
        if relative(path) not in NOT_MONEY
        for node in ast.walk(tree(path))
        if is_float(node)
    ]

    assert floats == []


def test_events_are_connected_on_one_page() -> None:
    connected = [
        relative(path)
        for path in sources(*APPS)
        if relative(path) != "config/flow.py"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute)
        and node.attr == "connect"
        and isinstance(node.value, ast.Name)
        and node.value.id.startswith(APPS)
    ]

    assert connected == []


def test_there_is_no_room_for_leftovers() -> None:
    forbidden = {"common", "core", "utils", "helpers", "misc"}

    assert [path for path in sources(*APPS) if forbidden & {*path.parts, path.stem}] == []


def test_modules_say_what_they_are_for() -> None:
    silent = [
        relative(path)
        for path in sources(*APPS)
        if path.read_text().strip() and ast.get_docstring(tree(path)) is None
    ]

    assert silent == []


def test_the_trading_package_stays_empty() -> None:
    """`python -m trading.simulator` imports it, and the simulator knows nothing of ours."""
    assert (ROOT / "trading/__init__.py").read_text().strip() == ""
