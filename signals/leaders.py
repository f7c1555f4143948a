"""What is done to leader accounts: added as a source, given another key, checked again."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.enums import AuditLevel
from accounts.fields import fingerprint
from accounts.tenancy import all_tenants, current_tenant_id
from customers.enums import KeyStatus, Market
from customers.models import ExchangeAccount
from customers.services import clean_keys
from customers.used_keys import change_key, key_taken
from signals.enums import Direction, LeaderLink, SourceKind
from signals.events import leader_account_changed
from signals.models import LeaderAccount, LeaderPosition, SignalSource
from signals.services import Waiting

if TYPE_CHECKING:
    from accounts.models import User

KEY_PARTS: Final = ("api_key", "api_secret", "passphrase")


@transaction.atomic
def create_leader_source(
    *,
    name: str,
    market: Market,
    keys: dict[str, str],
    actor: User | None,
    waiting: Waiting | None = None,
) -> LeaderAccount:
    """Add a source that watches an account, to the desk whose scope is open.

    Nothing is followed before its key has been checked and what it holds was read.
    Raises ValidationError by field.
    """
    waiting = waiting or Waiting()
    source = SignalSource(  # type: ignore[misc] # no desk at hand: full_clean refuses
        tenant_id=current_tenant_id(),
        name=name.strip(),
        kind=SourceKind.LEADER,
        market=market,
        approval=waiting.rule,
        approval_seconds=waiting.seconds,
    )
    source.full_clean()
    source.save()
    leader = LeaderAccount(tenant_id=source.tenant_id, source=source)
    leader.save()
    after = {"name": source.name, "market": source.market, "kind": source.kind}
    audit.record(action="source.created", obj=source, after=after, actor=actor)
    return set_leader_keys(leader=leader, keys=keys, actor=actor)


@transaction.atomic
def set_leader_keys(
    *, leader: LeaderAccount, keys: dict[str, str], actor: User | None
) -> LeaderAccount:
    """Store a key, in place of any other, and have it checked.

    What the leader holds stays known: another key must be of the same OKX user.
    """
    cleaned = clean_keys({name: keys.get(name, "") for name in KEY_PARTS})
    leader = LeaderAccount.objects.select_for_update().select_related("source").get(pk=leader.pk)
    before, known_as = _key_of(leader), leader.key_fingerprint
    for name, value in cleaned.items():
        setattr(leader, name, value)
    leader.key_fingerprint = fingerprint(cleaned["api_key"])
    leader.key_last4 = cleaned["api_key"][-4:]
    _restart_check(leader)
    _save_key(leader, known_as)
    audit.record(
        action="leader.keys_set",
        obj=leader,
        before=before,
        after=_key_of(leader),
        level=AuditLevel.NOTICE,
        actor=actor,
    )
    _announce(leader)
    return leader


@transaction.atomic
def recheck_leader_keys(*, leader: LeaderAccount, actor: User | None) -> LeaderAccount:
    """Ask for another check of the stored key. The leader is not watched until it has ended."""
    leader = LeaderAccount.objects.select_for_update().select_related("source").get(pk=leader.pk)
    if leader.key_status == KeyStatus.MISSING:
        raise ValidationError(_("The leader account has no key."))
    _restart_check(leader)
    leader.save()
    audit.record(action="leader.keys_recheck", obj=leader, actor=actor)
    _announce(leader)
    return leader


def record_position(
    source: SignalSource,
    inst_id: str,
    direction: Direction,
    quantity: Decimal,
    average_entry: Decimal | None,
    at: datetime,
) -> None:
    """Where a leader is without anybody having followed it there: nothing is copied of it."""
    LeaderPosition.objects.update_or_create(
        source=source,
        scope_key="",
        inst_id=inst_id,
        direction=direction,
        defaults={"quantity": quantity, "average_entry": average_entry, "updated_at": at},
    )


def _key_of(leader: LeaderAccount) -> dict[str, Any]:
    return {"key_last4": leader.key_last4, "key_version": leader.key_version}


def _restart_check(leader: LeaderAccount) -> None:
    """A higher version makes the result of a check that still runs worthless."""
    leader.key_version += 1
    leader.key_status = KeyStatus.PENDING
    leader.key_reason = ""
    leader.key_warnings, leader.key_permissions = [], []
    leader.verified_at = None
    leader.link, leader.link_reason, leader.link_since = LeaderLink.WAITING, "", None


def _save_key(leader: LeaderAccount, known_as: str | None) -> None:
    with all_tenants("a key is used once in the whole installation"):
        traded = ExchangeAccount.objects.filter(key_fingerprint=leader.key_fingerprint)
        others = LeaderAccount.objects.filter(key_fingerprint=leader.key_fingerprint)
        if traded.exists() or others.exclude(pk=leader.pk).exists():
            raise key_taken()
    change_key(known_as, leader.key_fingerprint)
    try:
        with transaction.atomic():
            leader.save()
    except IntegrityError as error:  # somebody else was faster
        raise key_taken() from error


def _announce(leader: LeaderAccount) -> None:
    transaction.on_commit(
        partial(leader_account_changed.send_robust, LeaderAccount, leader_id=leader.pk)
    )
