"""Which language and which clock a page is shown in."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.test import Client
from django.utils import timezone, translation

from accounts import display
from accounts.enums import Language, Role
from accounts.models import AuditEntry, User
from accounts.scope import tenant_scope
from tests import factories as make

ZH = {"HTTP_ACCEPT_LANGUAGE": "zh-CN,zh;q=0.9"}


@pytest.fixture
def user(db: None) -> User:
    return make.make_user(Role.OWNER, tenant=make.make_tenant(timezone="Asia/Shanghai"))


@pytest.fixture
def client(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def choose(client: Client, language: str, **post: str) -> Any:
    return client.post("/i18n/language/", {"language": language, **post})


def test_settings_and_rows_know_the_same_languages() -> None:
    assert Language.choices == settings.LANGUAGES


@pytest.mark.django_db
def test_a_browser_is_answered_in_the_language_it_asks_for(client: Client) -> None:
    page = Client().get("/admin/login/", **ZH)

    assert page["Content-Language"] == "zh-hans"
    assert b'<html lang="zh-hans"' in page.content
    assert "Accept-Language" in page["Vary"]


@pytest.mark.django_db
def test_the_cookie_counts_more_than_what_the_browser_asks_for() -> None:
    client = Client()

    answer = choose(client, "en")

    assert answer.status_code == 302
    assert client.get("/admin/login/", **ZH)["Content-Language"] == "en"


def test_the_persons_own_choice_counts_most(client: Client, user: User) -> None:
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    user.language = Language.CHINESE
    user.save()

    assert client.get("/admin/desk/")["Content-Language"] == "zh-hans"


def test_choosing_is_kept_on_the_row_and_in_the_cookie(client: Client, user: User) -> None:
    answer = choose(client, "zh-hans", next="/admin/switch/")

    user.refresh_from_db()
    cookie = answer.cookies[settings.LANGUAGE_COOKIE_NAME]
    assert answer["Location"] == "/admin/switch/"
    assert user.language == "zh-hans"
    assert (cookie.value, cookie["httponly"], cookie["samesite"]) == ("zh-hans", True, "Lax")
    with tenant_scope(user.memberships.get().tenant):
        entry = AuditEntry.objects.get(action="user.language_chosen")
    assert (entry.before, entry.after) == ({"language": ""}, {"language": "zh-hans"})


def test_choosing_the_same_again_writes_nothing(client: Client, user: User) -> None:
    choose(client, "zh-hans")
    choose(client, "zh-hans")

    with tenant_scope(user.memberships.get().tenant):
        assert AuditEntry.objects.filter(action="user.language_chosen").count() == 1


def test_an_unknown_language_is_refused(client: Client, user: User) -> None:
    answer = choose(client, "tlh")

    user.refresh_from_db()
    assert (answer.status_code, user.language) == (400, "")
    assert answer.content == b"language: not one of en, zh-hans"
    assert settings.LANGUAGE_COOKIE_NAME not in answer.cookies


@pytest.mark.django_db
@pytest.mark.parametrize("bad", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_nobody_is_sent_elsewhere(bad: str) -> None:
    client = Client()

    assert choose(client, "en", next=bad)["Location"] == "/"
    by_referer = client.post("/i18n/language/", {"language": "en"}, HTTP_REFERER=bad)
    assert by_referer["Location"] == "/"


@pytest.mark.django_db
def test_the_choice_needs_a_form_of_ours() -> None:
    client = Client(enforce_csrf_checks=True)

    assert choose(client, "zh-hans").status_code == 403
    assert client.get("/i18n/language/").status_code == 405


def test_pages_show_the_desks_clock(client: Client) -> None:
    with time_machine.travel(datetime(2026, 11, 22, 20, 30, tzinfo=UTC), tick=False):
        client.force_login(User.objects.get())
        choose(client, "en")
        page = client.get("/admin/accounts/auditentry/").content.decode()

    assert "04:30" in page
    assert "20:30" not in page


def test_the_clock_is_left_when_the_page_is_done(client: Client) -> None:
    client.get("/admin/desk/")

    assert timezone.get_current_timezone_name() == "UTC"
    assert translation.get_language() == "en"


def test_the_login_page_offers_every_language(db: None) -> None:
    page = Client().get("/admin/login/").content.decode()

    assert 'value="zh-hans" lang="zh-hans">简体中文</button>' in page
    assert 'value="en" lang="en" aria-current="true">English</button>' in page


@pytest.mark.parametrize(
    ("language", "expected"), [("en", ["0.65 %", "+10.00 %"]), ("zh-hans", ["0.65%", "+10.00%"])]
)
def test_percentages_are_written_as_the_language_does(language: str, expected: list[str]) -> None:
    with translation.override(language):
        shown = [display.percent(Decimal("0.0065")), display.percent(Decimal("0.1"), sign=True)]

    assert shown == expected
    assert display.percent(None) == "—"


@pytest.mark.parametrize(
    ("language", "this_year", "earlier"),
    [("en", "22 Nov 14:32", "22 Nov 2025"), ("zh-hans", "11月22日 14:32", "2025年11月22日")],
)
def test_dates_are_written_as_the_language_does(
    language: str, this_year: str, earlier: str
) -> None:
    with (
        time_machine.travel(datetime(2026, 11, 25, tzinfo=UTC), tick=False),
        translation.override(language),
    ):
        assert display.when(datetime(2026, 11, 22, 14, 32, tzinfo=UTC)) == this_year
        assert display.when(datetime(2025, 11, 22, 14, 32, tzinfo=UTC)) == earlier
