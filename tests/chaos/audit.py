"""The product's own check of its books, asked after every scenario, and held against the ledger."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from typing import Any

from django.core.management import call_command

SETTLED_S = "5"


def _is_meant(stage: Any, finding: dict[str, Any]) -> bool:
    """What a scenario did on purpose and an audit must tell of."""
    if finding["what"] == "manual":
        return finding.get("account_id") in stage.desk.excused
    if finding["what"] == "set_aside":
        return finding.get("signal_id") in stage.desk.poisoned
    return finding["what"] == "foreign_deployment" and bool(stage.desk.foreign)


def audit(stage: Any) -> dict[str, list[str]]:
    """What `manage.py audit_ledger` says is wrong, by the promise it names."""
    out = io.StringIO()
    with suppress(SystemExit):
        call_command("audit_ledger", "--json", "--no-store", "--settle", SETTLED_S, stdout=out)
    told = json.loads(out.getvalue())
    broken: dict[str, list[str]] = {}
    for desk in told["desks"]:
        for finding in desk["findings"]:
            if _is_meant(stage, finding):
                stage.notes["the audit names it"] = finding["what"]
                continue
            words = " ".join(f"{name}={value}" for name, value in finding.items() if value)
            broken.setdefault(f"audit {finding['promise']}", []).append(words)
        if desk["unread"]:
            broken["audit could not look"] = [str(desk["unread"])[:300]]
    stage.notes["audited"] = {
        name: sum(desk[name] for desk in told["desks"])
        for name in ("accounts", "orders", "fills", "signals", "in_flight_count", "unseen_count")
    }
    return broken
