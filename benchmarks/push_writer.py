"""The other process of push.py: changes orders by the product's own functions, at a steady pace.

Writes one line per change, the time of its commit and the order's id, to the file it is given.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def main() -> None:
    what, rate, seconds, out = sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    django.setup()
    if what == "bare":
        asyncio.run(send_bare(rate, seconds))
    else:
        change_orders(rate, seconds, Path(out))


def change_orders(rate: float, seconds: float, out: Path) -> None:
    from accounts.tenancy import all_tenants
    from tests.live_rows import step
    from trading.enums import OrderState
    from trading.models import Order

    with all_tenants("a benchmark"):
        orders = list(Order.objects.filter(state=OrderState.READY).order_by("pk"))
    begun = time.monotonic()
    with out.open("w") as lines:
        for number, order in enumerate(orders[: round(rate * seconds)]):
            time.sleep(max(0.0, begun + number / rate - time.monotonic()))
            step([order], OrderState.SENDING)
            lines.write(json.dumps([time.time(), str(order.pk)]) + "\n")
    time.sleep(2)  # the relay's thread has the last ones still


async def send_bare(rate: float, seconds: float) -> None:
    from channels.layers import get_channel_layer

    from benchmarks.push_server import BARE_GROUP

    layer, begun = get_channel_layer(), time.monotonic()
    for number in range(round(rate * seconds)):
        await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
        await layer.group_send(
            BARE_GROUP, {"type": "bare.message", "text": json.dumps({"sent": time.time()})}
        )


if __name__ == "__main__":
    main()
