"""Makes the database of the webhook benchmark and prints its sources; asked again, what it holds.

python -m benchmarks.hook.desk make NUMBER | python -m benchmarks.hook.desk count
"""

from __future__ import annotations

from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from accounts.models import Installation  # noqa: E402
from accounts.tenancy import all_tenants  # noqa: E402
from benchmarks.fan.processes import answer_lines  # noqa: E402
from signals.models import Signal, SignalNonce  # noqa: E402
from tests import factories  # noqa: E402


def make() -> dict[str, Any]:
    call_command("migrate", verbosity=0)
    Installation.objects.get_or_create(pk=1)
    factories.make_instrument()
    factories.set_price()
    source = factories.make_source(rate_per_second=1_000_000)
    return {"uid": str(source.uid), "secret": factories.SECRET}


def count() -> dict[str, Any]:
    with all_tenants("count what the benchmark stored"):
        return {"rows": [Signal.objects.count(), SignalNonce.objects.count()]}


if __name__ == "__main__":
    answer_lines({"make": make, "count": count})
