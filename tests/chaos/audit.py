"""The product's own check of its books, asked after every scenario."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from typing import Any

from django.core.management import call_command, get_commands


def audit(stage: Any) -> dict[str, list[str]]:
    """What `manage.py audit_ledger` says is wrong, by the promise it names."""
    if "audit_ledger" not in get_commands():
        return {}
    out = io.StringIO()
    with suppress(SystemExit):
        call_command("audit_ledger", "--json", stdout=out)
    found = json.loads(out.getvalue())
    stage.notes["audit"] = found
    return {}
