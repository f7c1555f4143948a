"""A worker's process for tests: sends these orders, and dies where its environment says.

python -m tests.chaos.sender ORDER_ID ...
"""

from __future__ import annotations

import sys
import uuid

import django


def main() -> None:
    django.setup()
    from trading.execution import send_orders

    send_orders(map(uuid.UUID, sys.argv[1:]))


if __name__ == "__main__":
    main()
