"""The pages of followings, of leaders and of what is lost: what a person reads there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.tenancy import tenant_scope
from signals.models import LeaderAccount
from strategies.enums import CloseType, SubscriptionStatus
from strategies.models import Strategy, Subscription
from tests import factories as make
from tests.kept import kept
from tests.world import World, make_world
from trading.models import ExternalOrder, Repair

pytestmark = [pytest.mark.database_long, pytest.mark.django_db]


@pytest.fixture(scope="module")
def _worlds(django_db_setup: None, django_db_blocker: Any) -> Iterator[Callable[[], World]]:
    with kept(django_db_blocker, lambda: make_world("North desk", 1, customers=15)) as worlds:
        yield worlds


@pytest.fixture
def world(_worlds: Callable[[], World], db: None) -> World:
    return _worlds()


@pytest.fixture
def owner(world: World) -> Client:
    client = Client()
    client.force_login(world.owner)
    return client


def read(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return str(answer.content.decode())


@pytest.mark.parametrize("status", SubscriptionStatus.values)
@pytest.mark.parametrize("page", ["customer", "exchangeaccount"])
def test_a_following_in_any_state_is_shown(
    page: str, status: str, world: World, owner: Client
) -> None:
    link = world.subscriptions[0]
    with tenant_scope(world.tenant):
        Subscription.objects.filter(pk=link.pk).update(status=status)
    key = link.account_id if page == "exchangeaccount" else link.account.customer_id

    text = read(owner, reverse(f"admin:customers_{page}_change", args=(key,)))

    assert str(SubscriptionStatus(status).label) in text or "Left to a person" in text


def test_a_following_that_is_being_stopped_says_so(world: World, owner: Client) -> None:
    link = world.subscriptions[0]
    with tenant_scope(world.tenant):
        Subscription.objects.filter(pk=link.pk).update(
            status=SubscriptionStatus.CLOSE_ONLY, ending=CloseType.COPY_CLOSE
        )

    assert "Stops when flat" in read(
        owner, reverse("admin:customers_customer_change", args=(link.account.customer_id,))
    )


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_replay_is_filled_in_as_browsers_take_it(language: str, owner: Client) -> None:
    owner.cookies["copydesk_language"] = owner.cookies["django_language"] = language

    text = read(owner, reverse("admin:replay"))

    filled = re.findall(r'type="datetime-local" name="\w+" value="([^"]*)"', text)
    assert len(filled) == 2
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d", moment) for moment in filled)


def test_the_use_of_a_limit_has_no_link_in_a_link(owner: Client) -> None:
    text = read(owner, reverse("admin:trading_lossstate_changelist"))

    rows = text[text.index('id="result_list"') :]
    assert "Emil Abel" in rows
    assert not re.search(r"<a [^>]*>(?:(?!</a>).)*<a ", rows, re.DOTALL)


def test_an_empty_term_of_a_following_is_named(world: World, owner: Client) -> None:
    url = reverse("admin:strategies_subscription_change", args=(world.subscriptions[0].pk,))

    text = read(owner, url)

    assert text.count("As the strategy") == 8
    assert "Empty takes the strategy&#x27;s.<" not in text


def test_an_empty_term_of_a_following_stays_empty(world: World, owner: Client) -> None:
    link = world.subscriptions[0]
    url = reverse("admin:strategies_subscription_change", args=(link.pk,))
    form = owner.get(url).context["adminform"].form
    sent = {name: field.value() for name, field in ((f.name, f) for f in form)}
    sent = {name: "" if value is None else value for name, value in sent.items()}

    answer = owner.post(url, sent | {"mirror_protection": "unknown", "max_slippage": "0.004"})

    assert answer.status_code == 302, answer.context["adminform"].form.errors
    with tenant_scope(world.tenant):
        link = Subscription.objects.get(pk=link.pk)
    assert (link.reverse, link.sizing_mode, link.mirror_protection) == (None, "", None)
    assert link.max_slippage == Decimal("0.004")


def test_what_is_known_about_a_repair_is_in_words(world: World, owner: Client) -> None:
    with tenant_scope(world.tenant):
        repair = Repair.objects.filter(kind="under")[0]
        repair.evidence |= {"leader": "12345.50", "external": "-3"}
        repair.save(update_fields=["evidence"])
        others = ExternalOrder.objects.filter(account=repair.account, inst_id=repair.inst_id)
        assert others.update(side="sell", state="mmp_canceled")

    text = read(owner, reverse("admin:trading_repair_decide", args=(repair.pk,)))

    assert "12,345.5" in text
    assert "−3" in text
    assert "canceled by market maker protection" in text
    assert "mmp_canceled" not in text
    others_part = text[text.index("Orders that are not ours") :]
    assert "Sell" in others_part[: others_part.index("</section>")]


def test_a_leader_has_one_heading_for_its_key(world: World, owner: Client) -> None:
    with tenant_scope(world.tenant):
        leader = LeaderAccount.objects.order_by("pk")[0]

    text = read(owner, reverse("admin:signals_leaderaccount_change", args=(leader.pk,)))

    headings = [" ".join(each.split()) for each in re.findall(r"<h2[^>]*>([^<]*)</h2>", text)]
    assert headings.count("API key") == 1
    assert "Replace the API key" in headings
    assert ">buy<" not in text


@pytest.mark.parametrize("page", ["strategy", "subscription"])
def test_the_lists_show_the_highest_leverage(page: str, world: World, owner: Client) -> None:
    """A field has the name `leverage` too; it is the fixed one, and empty here."""
    with tenant_scope(world.tenant):
        Subscription.objects.update(max_leverage=Decimal("7.5"))
        Strategy.objects.update(max_leverage=Decimal("7.5"))

    text = read(owner, reverse(f"admin:strategies_{page}_changelist"))

    assert "7.5" in text[text.index('id="result_list"') :]


def test_a_repair_in_the_list_leads_to_where_it_is_decided(world: World, owner: Client) -> None:
    with tenant_scope(world.tenant):
        repairs = list(Repair.objects.all())

    text = read(owner, reverse("admin:trading_repair_changelist"))

    for repair in repairs:
        assert reverse("admin:trading_repair_decide", args=(repair.pk,)) in text
    assert "Select record" not in text


def test_help_shows_the_whole_address_of_a_webhook(owner: Client) -> None:
    assert "/hooks/t/TOKEN/" in read(owner, reverse("admin:signals_signalsource_add"))


def test_what_would_happen_shows_round_figures_in_full(world: World, owner: Client) -> None:
    """With thousands, without exponents, the margin mode as a word."""
    make.set_price("BTC-USDT-SWAP", 60_000)
    typed = {
        "strategy": world.strategies[0].pk, "instrument": "BTC-USDT-SWAP", "intent": "open",
        "direction": "long", "quantity": "57.5", "mode": "contracts",
    }  # fmt: skip

    text = str(owner.post(reverse("admin:preview"), typed).content.decode())

    assert "42.5" in text
    assert re.search(r'<dd class="n">100</dd>', text), "the leader's position after"
    assert "60,000" in text
    assert "E+" not in text
    assert " · Cross" in text
