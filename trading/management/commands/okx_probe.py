"""Measure on a demo key what OKX's documents leave open, and say which settings to change."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.tenancy import all_tenants
from customers.credentials import NoKey
from customers.models import ExchangeAccount
from trading.endpoints import endpoint_of_market, keys_of
from trading.exchange.okx.advice import Advice, advice_on, refused_for_s
from trading.exchange.okx.probe import Findings, ProbeRefused, Repeat, probe
from trading.exchange.okx.rest import OkxClient
from trading.exchange.types import Credentials, Endpoint, Outcome

KEY_NAMES = ("OKX_PROBE_KEY", "OKX_PROBE_SECRET", "OKX_PROBE_PASSPHRASE")
REPEATS_S = (0.0, 1.0, 5.0, 20.0, 60.0)


class Command(BaseCommand):
    help = (
        "Places and takes away the smallest orders of a demo account (or of the simulator) to "
        "measure what the documents leave open. The key comes from --account or from "
        + ", ".join(KEY_NAMES)
        + "."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        where = parser.add_mutually_exclusive_group(required=True)
        where.add_argument("--demo", action="store_const", const="demo", dest="market")
        where.add_argument("--simulator", action="store_const", const="simulator", dest="market")
        parser.add_argument("--account", help="uid of an exchange account of that market")
        parser.add_argument("--instrument", default="BTC-USDT-SWAP")
        parser.add_argument("--rounds", type=int, default=10, help="how often the lag is measured")
        parser.add_argument(
            "--longest",
            type=float,
            default=REPEATS_S[-1],
            help="seconds after its end up to which an order's name is tried again",
        )
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        endpoint = endpoint_of_market(options["market"])
        if options["market"] == "demo" and not endpoint.simulated_header:
            raise CommandError("a demo key is asked for with the header of the demo only")
        credentials = _credentials(options["market"], options["account"])
        repeats = [each for each in REPEATS_S if each <= options["longest"]]
        try:
            findings = asyncio.run(
                _run(endpoint, credentials, options["instrument"], options["rounds"], repeats)
            )
        except ProbeRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        advice = advice_on(findings, grace_s=settings.GRACE_S, skew_s=settings.SKEW_S)
        report = _as_json if options["json"] else _as_table
        self.stdout.write(report(options["market"], options["instrument"], findings, advice))
        if findings.left_behind:
            raise CommandError("left behind: " + ", ".join(findings.left_behind))


async def _run(
    endpoint: Endpoint, credentials: Credentials, inst_id: str, rounds: int, repeats: list[float]
) -> Findings:
    client = OkxClient(endpoint)
    try:
        return await probe(client, credentials, inst_id, rounds=rounds, repeats_s=repeats)
    finally:
        await client.aclose()


def _credentials(market: str, account_uid: str | None) -> Credentials:
    """Of a stored account or of the environment; never one that trades with money."""
    if account_uid is None:
        values = [os.environ.get(name, "") for name in KEY_NAMES]
        if not all(values):
            raise CommandError("give --account, or set " + ", ".join(KEY_NAMES))
        return Credentials(*values)
    with all_tenants("okx_probe: an operator names the account"):
        try:
            account = ExchangeAccount.objects.select_related("customer").get(uid=account_uid)
        except (ExchangeAccount.DoesNotExist, ValidationError, ValueError) as error:
            raise CommandError("--account: there is no such account") from error
        if account.market != market:
            raise CommandError(f"--account: its market is {account.market}, not {market}")
        try:
            return keys_of(account, purpose="probe")
        except NoKey as error:
            raise CommandError("--account: it has no key") from error


def _as_json(market: str, inst_id: str, findings: Findings, advice: list[Advice]) -> str:
    measured = asdict(findings) | {
        "worst_lag_ms": findings.worst_lag_ms,
        "usual_lag_ms": findings.usual_lag_ms,
        "refused_after_cancel_s": refused_for_s(findings.after_cancel),
        "refused_after_fill_s": refused_for_s(findings.after_fill),
    }
    return json.dumps(
        {
            "market": market,
            "instrument": inst_id,
            "findings": measured,
            "settings": [asdict(each) | {"changes": each.changes} for each in advice],
        }
    )


def _as_table(market: str, inst_id: str, findings: Findings, advice: list[Advice]) -> str:
    lag = f"{findings.usual_lag_ms} ms usually, {findings.worst_lag_ms} ms at worst"
    status = f" (HTTP {findings.expired_status})" if findings.expired_status else ""
    rows = [
        ("name used again while live", _told(findings.while_live)),
        ("name used again after a cancel", _told(findings.after_cancel)),
        ("name used again after a fill", _told(findings.after_fill)),
        ("deadline passed", f"{findings.expired_code or 'no code'}{status}"),
        ("order found after", f"{lag}, {findings.not_found_answers} times not at first"),
        *(
            (f"answered {code}", f"{count}, of which placed {findings.ambiguous_placed[code]}")
            for code, count in findings.ambiguous.items()
        ),
        ("clock", f"{findings.clock_offset_ms} ms from ours"),
    ]
    lines = [f"{market}, {inst_id}: {findings.orders_sent} orders sent", ""]
    lines += [f"  {what:<32} {found}" for what, found in rows]
    lines += ["", "Settings:"]
    lines += [
        f"  {each.name:<16} {each.now} -> {each.value}  ({each.why})"
        if each.changes
        else f"  {each.name:<16} {each.now} stays  ({each.why})"
        for each in advice
    ]
    return "\n".join(lines)


def _told(repeats: list[Repeat]) -> str:
    """When it was refused, with what, and when it was accepted."""
    if not repeats:
        return "not measured"
    return "; ".join(
        f"after {each.after_s:g} s "
        + ("accepted" if each.outcome == Outcome.ACK else f"{each.code} {each.message}".strip())
        for each in repeats
    )
