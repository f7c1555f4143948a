"""Run the OKX simulator in the foreground; needs no database."""

from __future__ import annotations

from django.core.management.base import BaseCommand

from trading.simulator import __main__ as simulator


class Command(BaseCommand):
    help = "Run the OKX v5 simulator until SIGTERM. Flags are those of python -m trading.simulator."
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Hand the arguments over as they are: the simulator is a program of its own."""
        raise SystemExit(simulator.main(argv[2:]))

    def handle(self, *args: str, **options: object) -> None:
        """Reached through call_command only, which passes no flags."""
        raise SystemExit(simulator.main(list(args)))
