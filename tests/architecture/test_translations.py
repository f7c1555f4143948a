"""Every string people read is in the Chinese translation, which is whole and compiled."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import polib
import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "locale/zh_Hans/LC_MESSAGES"
ROOMS = [
    "accounts",
    "config",
    "customers",
    "notifications",
    "signals",
    "strategies",
    "templates",
    "trading",
]

PLACEHOLDER = re.compile(r"%\((\w+)\)[#0\- +]*\d*(?:\.\d+)?[a-zA-Z]|%[sd]|(?<!\{)\{(\w*)\}(?!\})")
MARKS = {"_", "gettext", "ngettext", "pgettext", "gettext_lazy", "ngettext_lazy", "pgettext_lazy"}
Key = tuple[str | None, str, str]


@pytest.fixture(scope="module")
def translated() -> polib.POFile:
    return polib.pofile(str(FOLDER / "django.po"))


def key(entry: polib.POEntry) -> Key:
    return (entry.msgctxt, entry.msgid, entry.msgid_plural)


def texts(entry: polib.POEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


def placeholders(text: str) -> set[str]:
    return {"".join(match.groups(default="")) or match[0] for match in PLACEHOLDER.finditer(text)}


@pytest.mark.gettext
def test_every_string_of_the_source_is_in_the_translation(
    translated: polib.POFile, tmp_path: Path
) -> None:
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "manage.py", tmp_path)
    (tmp_path / "locale").mkdir()
    environment = os.environ | {"COPYDESK_ENV": "test", "VAR_DIR": str(tmp_path / "var")}
    environment["DJANGO_SETTINGS_MODULE"] = "config.settings"
    command = [sys.executable, "manage.py", "makemessages"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    source = polib.pofile(str(tmp_path / "locale/zh_Hans/LC_MESSAGES/django.po"))

    missing = {key(entry) for entry in source} - {key(entry) for entry in translated}
    stale = {key(entry) for entry in translated} - {key(entry) for entry in source}
    assert (sorted(map(str, missing)), sorted(map(str, stale))) == ([], []), "run `make messages`"


def test_every_string_is_translated(translated: polib.POFile) -> None:
    assert [entry.msgid for entry in translated if not all(texts(entry))] == []


def test_no_translation_is_a_guess(translated: polib.POFile) -> None:
    assert [entry.msgid for entry in translated if entry.fuzzy] == []


def test_a_translation_has_the_placeholders_of_its_source(translated: polib.POFile) -> None:
    different = [
        entry.msgid
        for entry in translated
        for text in texts(entry)
        if text and placeholders(text) != placeholders(entry.msgid_plural or entry.msgid)
    ]

    assert different == []


def test_the_compiled_file_is_of_this_translation(translated: polib.POFile) -> None:
    compiled = polib.mofile(str(FOLDER / "django.mo"))

    expected = {key(entry): texts(entry) for entry in translated if all(texts(entry))}
    assert {key(entry): texts(entry) for entry in compiled} == expected, "run `make messages`"


def test_no_string_hides_where_gettext_does_not_look() -> None:
    """xgettext reads no f-strings: what is translated inside one is never taken up."""
    hidden = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for text in ast.walk(ast.parse(path.read_text()))
        if isinstance(text, ast.JoinedStr)
        for call in ast.walk(text)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        if call.func.id in MARKS
    ]

    assert hidden == []


def test_no_string_hides_behind_another_name() -> None:
    """Nor does xgettext know what a function was called where it was imported."""
    hidden = [
        f"{path.relative_to(ROOT)}: {name.name} as {name.asname}"
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for line in ast.walk(ast.parse(path.read_text()))
        if isinstance(line, ast.ImportFrom) and line.module == "django.utils.translation"
        for name in line.names
        if name.name in MARKS and name.asname not in (None, "_")
    ]

    assert hidden == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%(count)d of %(name)s", {"count", "name"}),
        ("%(minutes)02d min", {"minutes"}),
        ("%(number)s %%", {"number"}),
        ("{count} rows and %s", {"count", "%s"}),
        ("0.65 % of it", set()),
    ],
)
def test_placeholders_are_found(text: str, expected: set[str]) -> None:
    assert placeholders(text) == expected
