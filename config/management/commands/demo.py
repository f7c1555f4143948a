"""`manage.py demo`: the whole product on this machine, and one signal to watch."""

from __future__ import annotations

import json
import signal
import sys
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.demo.processes import DemoError
from config.demo.report import Report, as_table
from config.demo.run import Demo


class Command(BaseCommand):
    help = "Run the whole product here, with a simulated exchange and two demo desks."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="exit after the first signal")
        parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
        parser.add_argument("--port", type=int, default=None, help="the web server's port")

    def handle(self, *_args: Any, **options: Any) -> None:
        if settings.COPYDESK_ENV != "demo":
            raise CommandError("the demo runs with COPYDESK_ENV=demo only: use `make demo`")
        demo = Demo(port=options["port"], say=self._say)
        self._leave_on_signals(demo)
        try:
            demo.start()
            _, report = demo.show()
            self._print(demo, report, as_json=options["json"])
            if not options["once"]:
                demo.household.keep(self._say)
        except DemoError as error:
            if not demo.household.leaving.is_set():
                raise CommandError(str(error)) from error
        finally:
            demo.stop()
        if options["once"] and not report.is_as_expected:
            raise CommandError("not every customer ended as expected")

    def _print(self, demo: Demo, report: Report, *, as_json: bool) -> None:
        logins = demo.world.logins if demo.world else {}
        if as_json:
            shown = {
                **report.as_dict(),
                "urls": demo.urls(),
                "webhook_secret": demo.world.secret if demo.world else "",
                "token": demo.world.token if demo.world else "",
                "logins": {role: list(login) for role, login in logins.items()},
            }
            self.stdout.write(json.dumps(shown))
        else:
            self.stdout.write(as_table(report))
            self.stdout.write("")
            for name, url in demo.urls().items():
                self.stdout.write(f"{name:18} {url}")
            self.stdout.write("")
            for role, (user, password) in logins.items():
                self.stdout.write(f"{role:18} {user} / {password}")
            self.stdout.write(f"{'API token':18} {demo.world.token if demo.world else ''}")
            self.stdout.write("\nCtrl-C stops everything.")
        self.stdout.flush()

    def _say(self, text: str) -> None:
        sys.stderr.write(f"demo: {text}\n")
        sys.stderr.flush()

    def _leave_on_signals(self, demo: Demo) -> None:
        def leave(_number: int, _frame: FrameType | None) -> None:
            demo.household.leaving.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, leave)
