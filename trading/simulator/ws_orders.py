"""Order operations over the private WebSocket: the same rows, limits and expiry as REST."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from trading.simulator import auth, operations, wire
from trading.simulator.admission import (
    check_batch,
    check_expiry,
    client_ids_of,
    count_orders,
    instruments_of,
    sides_of,
)
from trading.simulator.codes import OkxError, plain_message_of
from trading.simulator.faults import REST_KINDS, Fault, Subject
from trading.simulator.operations import Operation
from trading.simulator.session import Session, message_id
from trading.simulator.state import Account
from trading.simulator.venue import Answer, Venue, refusal

# Operation, request-limit bucket, REST path that faults name, batch or not.
OPERATIONS: Final[dict[str, tuple[Operation, str, str, bool]]] = {
    "order": (operations.place, "place", "/api/v5/trade/order", False),
    "batch-orders": (operations.place, "place", "/api/v5/trade/batch-orders", True),
    "cancel-order": (operations.cancel, "cancel", "/api/v5/trade/cancel-order", False),
    "batch-cancel-orders": (
        operations.cancel,
        "cancel",
        "/api/v5/trade/cancel-batch-orders",
        True,
    ),
    "amend-order": (operations.amend, "amend", "/api/v5/trade/amend-order", False),
    "batch-amend-orders": (operations.amend, "amend", "/api/v5/trade/amend-batch-orders", True),
}
_SILENCING: Final = frozenset(("truncate", "html_200", "empty_200", "http", "redirect"))
_CUTTING: Final = frozenset(("drop_before", "drop_after_accept", "rst_after_accept"))


@dataclass(frozen=True, slots=True)
class _Call:
    """One order call; `seq` is its number in the ledger."""

    account: Account
    frame: dict[str, Any]
    fault: Fault | None
    in_us: int
    seq: int


async def handle(venue: Venue, session: Session, frame: dict[str, Any]) -> None:
    """Refusals of the whole call are OkxError before login, envelopes after it."""
    if session.url != "private":
        raise OkxError("60028")
    if not session.accounts:
        raise OkxError("60011")
    account = next(iter(session.accounts.values()))
    in_us = venue.clock.us()
    fault = _pick_fault(venue, account, frame)
    call = _Call(account, frame, fault, in_us, _note(venue, account, frame, in_us))
    if fault is not None or venue.latency_ms:
        venue.later(_answer(venue, session, call))
        return
    answer = _run_now(venue, call)
    _note_answer(venue, account, call.seq, answer)
    venue.ledger.when_written(partial(_send, venue, session, call, answer))


def _send(venue: Venue, session: Session, call: _Call, answer: Answer) -> None:
    body = answer.body(call.in_us, venue.clock.us())
    session.send({"id": _id(call.frame), "op": call.frame["op"], **body})


def _run_now(venue: Venue, call: _Call) -> Answer:
    """Never raises: refusals are envelopes with gateway times."""
    try:
        items = _admit(venue, call.account, call.frame, call.in_us // 1000)
        return _execute(venue, call.account, call.frame, items)
    except OkxError as error:
        return _refused(error)


def _refused(error: OkxError) -> Answer:
    refused = refusal(error)
    return Answer([], refused.code, refused.msg, timed=True)


async def _answer(venue: Venue, session: Session, call: _Call) -> None:
    frame, fault = call.frame, call.fault
    answer = await _run(venue, call.account, frame, fault, call.in_us)
    _note_answer(venue, call.account, call.seq, answer)
    await venue.ledger.flush()
    if fault is not None and fault.kind in _CUTTING:
        session.drop()
        return
    if fault is not None and fault.kind == "hang":
        await asyncio.sleep(fault.number / 1000)
        session.drop()
        return
    if fault is not None and (fault.kind in _SILENCING or fault.silent):
        return
    if fault is not None and fault.kind == "slow_body":
        await asyncio.sleep(fault.number * wire.PIECES / 1000)
    if fault is not None and fault.kind in ("code", "scode", "data_empty"):
        answer = _rewritten(fault, frame, answer, call.in_us // 1000)
    _send(venue, session, call, answer)


async def _run(
    venue: Venue, account: Account, frame: dict[str, Any], fault: Fault | None, in_us: int
) -> Answer:
    """Never raises: refusals are envelopes with gateway times."""
    try:
        items = _admit(venue, account, frame, in_us // 1000)
        if fault is not None and not fault.after and fault.kind != "late_accept":
            return Answer([], timed=True)
        if fault is not None and fault.kind == "late_accept":
            venue.later(_land_late(venue, account, frame, items, fault.number))
            raise OkxError("50004")
        if venue.latency_ms:
            await asyncio.sleep(venue.latency_ms / 1000)
        return _execute(venue, account, frame, items, fault)
    except OkxError as error:
        return _refused(error)


def _admit(venue: Venue, account: Account, frame: dict[str, Any], now_ms: int) -> list[Any]:
    _, bucket, _, batch = OPERATIONS[frame["op"]]
    items = _well_formed(frame, batch=batch)
    _check_may_trade(account)
    checked = check_batch(items, bucket)
    if bucket != "cancel":
        check_expiry(_exp_time(frame), now_ms, "50036")
    count_orders(venue, account, bucket, checked, now_ms)
    return checked


def _well_formed(frame: dict[str, Any], *, batch: bool) -> list[dict[str, Any]]:
    """The arguments: objects, one unless it is a batch, under an id that can be repeated."""
    items = frame.get("args")
    if frame.get("id") not in (None, "") and not message_id(frame):
        raise OkxError("60013")
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        raise OkxError("60013")
    if not items or (len(items) > 1 and not batch):
        raise OkxError("60013")
    return items


def _check_may_trade(account: Account) -> None:
    if "trade" not in account.perm.split(","):
        raise OkxError("50120")


def _execute(
    venue: Venue,
    account: Account,
    frame: dict[str, Any],
    items: list[Any],
    fault: Fault | None = None,
) -> Answer:
    operation, bucket, _, batch = OPERATIONS[frame["op"]]
    auth.check_known(venue.exchange.state.accounts, account)
    if bucket != "cancel":
        check_expiry(_exp_time(frame), venue.clock.ms(), "50037")
    slices = fault.number if fault is not None and fault.kind == "partial" else 1
    made = operations.run(venue, operation, account, items, single=not batch, slices=slices)
    # Over the socket the message stays empty when rows say what is wrong: ccxt
    # reads the rows' codes only then.
    return replace(made, msg="")


async def _land_late(
    venue: Venue, account: Account, frame: dict[str, Any], items: list[Any], delay_ms: int
) -> None:
    await asyncio.sleep(delay_ms / 1000)
    try:
        _execute(venue, account, frame, items)
    except OkxError:
        return
    await venue.ledger.flush()


def _pick_fault(venue: Venue, account: Account, frame: dict[str, Any]) -> Fault | None:
    if not venue.faults.installed:
        return None
    args = frame.get("args")
    items = args if isinstance(args, list) else []
    subject = Subject(
        path=OPERATIONS[frame["op"]][2],
        method="POST",
        account=account.key,
        insts=instruments_of(items),
        cl_ord_ids=client_ids_of(items),
        sides=sides_of(items),
    )
    return venue.faults.pick(REST_KINDS, subject)


def _rewritten(fault: Fault, frame: dict[str, Any], answer: Answer, now_ms: int) -> Answer:
    if fault.kind == "data_empty":
        return Answer([], timed=True)
    if fault.kind == "code":
        return Answer([], fault.argument, plain_message_of(fault.argument), timed=True)
    operation = OPERATIONS[frame["op"]][0]
    message = plain_message_of(fault.argument)
    items = frame.get("args") or []
    rows = [
        operations.failed_row(operation, each, fault.argument, message, now_ms) for each in items
    ]
    return Answer(rows, fault.outer, answer.msg, timed=True)


def _note(venue: Venue, account: Account, frame: dict[str, Any], in_us: int) -> int:
    """The number of the entry."""
    args = frame.get("args")
    items = args if isinstance(args, list) else []
    data = wire.dump(frame)
    entry = venue.exchange.record(
        {
            "kind": "request",
            "ts": in_us // 1000,
            "account": account.key,
            "method": "WS",
            "path": OPERATIONS[frame["op"]][2],
            "body_hash": hashlib.sha256(data).hexdigest(),
            "exp_time": _exp_time(frame),
            "inst_id": ",".join(each for each in instruments_of(items) if each),
            "cl_ord_id": ",".join(client_ids_of(items)),
        }
    )
    return int(entry["seq"])


def _note_answer(venue: Venue, account: Account, seq: int, answer: Answer) -> None:
    venue.exchange.record(
        {
            "kind": "answer",
            "ts": venue.clock.ms(),
            "account": account.key,
            "request": seq,
            "http": answer.http,
            "code": answer.code,
        }
    )


def _exp_time(frame: dict[str, Any]) -> str:
    value = frame.get("expTime")
    return value if isinstance(value, str) else ""


def _id(frame: dict[str, Any]) -> str:
    """What an answer repeats, be it a proper id or not."""
    value = frame.get("id")
    return value if isinstance(value, str) else ""
