"""Django's makemessages, with what is the product's own said once: `make messages`."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import makemessages

LOCALES = ("zh_Hans",)
NOT_OURS = (".venv", "var", "staticfiles", "static", "tests", "docs", "deploy", "benchmarks")


class Command(makemessages.Command):
    """Takes every string of the rooms and templates into locale/, keeping what is translated."""

    # What is guessed from a similar string is wrong more often than right, and looks translated.
    msgmerge_options = ["-q", "--backup=none", "--previous", "--update", "--no-fuzzy-matching"]

    def add_arguments(self, parser: Any) -> None:
        super().add_arguments(parser)
        parser.set_defaults(
            locale=list(LOCALES),
            ignore_patterns=list(NOT_OURS),
            no_obsolete=True,
            no_wrap=True,
            add_location="file",
        )

    def build_potfiles(self) -> list[str]:
        """Without the time of the extraction, which would change the file each time."""
        files: list[str] = super().build_potfiles()
        for name in files:
            _drop_creation_date(name)
        return files


def _drop_creation_date(name: str) -> None:
    with open(name, encoding="utf-8") as file:
        lines = [line for line in file if not line.startswith('"POT-Creation-Date:')]
    with open(name, "w", encoding="utf-8") as file:
        file.writelines(lines)
