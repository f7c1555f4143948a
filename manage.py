#!/usr/bin/env python
"""Django's command line. COPYDESK_ENV chooses the mode; see config/settings.py."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    if sys.argv[1:2] == ["run_simulator"]:
        # The exchange next door is a stranger: it needs no settings, and so no secrets.
        from trading.simulator.__main__ import main as simulate

        sys.exit(simulate(sys.argv[2:]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
