"""Doors without a login: webhooks, tasks with forged ids, and writes below every page."""

from __future__ import annotations

import uuid

import pytest

from accounts.tenancy import ScopeError, tenant_scope
from signals.enums import SignalStatus
from signals.models import Signal
from tests.isolation import attacks
from tests.isolation.worlds import Desks, digest, rows_of, unscoped
from trading import tasks
from trading.models import Decision, Order

pytestmark = [pytest.mark.django_db, pytest.mark.database_long]


def test_webhooks_serve_their_own_desk(desks: Desks) -> None:
    attacks.webhooks_serve_their_own_desk(desks)


@pytest.mark.usefixtures("untouched")
def test_rows_keep_to_their_desk(desks: Desks) -> None:
    attacks.rows_keep_to_their_desk(desks)


@pytest.mark.usefixtures("untouched")
def test_a_signal_is_copied_to_its_own_desk(desks: Desks, monkeypatch: pytest.MonkeyPatch) -> None:
    """The desk comes from the signal's row; nothing is sent, that is another test's matter."""
    monkeypatch.setattr(tasks, "_dispatch", lambda ids: None)
    signal = desks.a.signals[0]
    unscoped(Signal).filter(pk=signal.pk).update(status=SignalStatus.ACCEPTED, copied_at=None)
    rows_of(Decision, desks.a.tenant).filter(signal=signal).update(signal=desks.a.signals[1].pk)

    tasks.copy_signal(str(signal.pk))

    assert unscoped(Signal).get(pk=signal.pk).status != SignalStatus.ACCEPTED
    made = unscoped(Decision).filter(signal=signal.pk)
    assert set(made.values_list("tenant_id", flat=True)) == {desks.a.tenant.pk}


def test_a_task_told_of_no_row_does_nothing(desks: Desks) -> None:
    before = digest(desks.b.tenant)

    with pytest.raises(Signal.DoesNotExist):
        tasks.copy_signal(str(uuid.uuid4()))
    tasks.send_shard([str(uuid.uuid4())])
    tasks.follow_up([str(uuid.uuid4())])

    assert digest(desks.b.tenant) == before


def test_an_order_names_one_desk_throughout(desks: Desks) -> None:
    """Whatever a message says, an order's account, signal and decision are of its own desk."""
    for order in unscoped(Order).select_related("account", "signal", "decision"):
        owners = {order.account.tenant_id, order.signal.tenant_id, order.decision.tenant_id}
        assert owners == {order.tenant_id}


def test_rows_of_one_desk_cannot_be_read_in_another(desks: Desks) -> None:
    with tenant_scope(desks.b.tenant):
        rows = Order.objects.all()
        assert len(rows)

    with tenant_scope(desks.a.tenant), pytest.raises(ScopeError):
        list(rows)
