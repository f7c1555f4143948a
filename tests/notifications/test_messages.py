"""What people read: their language and zone, nobody's markup, no secret, never too long."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.enums import AuditLevel
from accounts.tenancy import tenant_scope
from notifications.enums import Kind
from notifications.fanout import fan_out
from notifications.messages import compose, cut, cut_bytes, plain
from notifications.templatetags.markdown import harmless
from notifications.transports import Text, transport_of
from tests.notifications.desk import Desk, make_desk

pytestmark = pytest.mark.django_db


def text_of(desk: Desk, kind: Kind = Kind.DINGTALK, *, language: str = "en", **note: Any) -> Text:
    desk.destination(kind, language=language, name="Risk group")
    desk.note(**note)
    fan_out()
    row = desk.rows()[-1]
    with tenant_scope(desk.tenant):
        return compose(row, desk.tenant, longest=transport_of(kind).longest)


def test_an_e_mail_says_what_who_why_and_where(caught: None) -> None:
    desk = make_desk(timezone="Asia/Shanghai")

    text = text_of(
        desk,
        Kind.EMAIL,
        action="account.paused",
        before={"status": "active"},
        after={"status": "paused"},
        reason="On holiday",
        level=AuditLevel.CRITICAL,
    )

    assert text.subject == ("[Critical] North desk: Trading on an account was paused (Ana Chen)")
    lines = text.body.splitlines()
    assert lines[:6] == [
        "Trading on an account was paused",
        "",
        "About: Ana Chen",
        "Reason: On holiday",
        "Done by: system",
        "status: active → paused",
    ]
    assert lines[6].startswith("Time: ")
    assert lines[6].endswith(" CST")
    link = f"https://desk.example.com/admin/customers/customer/{desk.customer.pk}/change/"
    assert link in lines
    assert lines[-1] == "Sent by Copydesk for North desk to Risk group."


def test_without_a_public_address_there_is_no_link(desk: Desk, settings: Any) -> None:
    settings.PUBLIC_URL = ""

    assert "http" not in text_of(desk).body


def test_what_has_no_page_of_its_own_leads_to_the_diary(desk: Desk) -> None:
    text = text_of(desk, obj=None)

    assert f"/admin/accounts/auditentry/{desk.rows()[0].entry_id}/change/" in text.body


HOSTILE = [
    ("a link", "[click](https://evil.example)"),
    ("a picture", "![x](https://evil.example/x.png)"),
    ("HTML", "<font color='warning'><a href='https://evil.example'>x</a></font>"),
    ("a mention", "<@all>"),
    ("a heading", "x\n# Everything is fine\n"),
    ("emphasis", "**bold** `code` ~~gone~~"),
    ("an escape", "\\[click\\](https://evil.example)"),
    ("a line that only machines see", "a\u2028# b\u202egnp.exe"),
]


@pytest.mark.parametrize(("label", "typed"), HOSTILE)
@pytest.mark.parametrize("kind", [Kind.DINGTALK, Kind.WECOM])
def test_nobodys_text_becomes_markup(desk: Desk, kind: Kind, label: str, typed: str) -> None:
    body = text_of(desk, kind, reason=typed, after={"note": typed}).body

    told = body.replace("[Open in Copydesk](https://desk.example.com/", "")
    assert not set("[]<`~\\") & set(told), label
    assert "https://" not in told
    assert "\n#" not in told.removeprefix("###")
    assert told.count("**") == body.count("- **") * 2
    assert not set("\u2028\u202e") & set(told)


def test_a_subject_is_one_line_whatever_was_typed(desk: Desk) -> None:
    desk.customer.name = "Ana\r\nBcc: everybody@example.org"

    text = text_of(desk, Kind.EMAIL)

    assert "\n" not in text.subject
    assert "\r" not in text.subject
    assert len(text.subject) <= 120


def test_secrets_are_masked_long_before(desk: Desk) -> None:
    body = text_of(desk, after={"api_secret": "s3cret-value", "passphrase": "phr4se"}).body

    assert "s3cret-value" not in body
    assert "phr4se" not in body
    assert "••••" in body


@pytest.mark.parametrize("kind", list(Kind))
def test_a_message_is_cut_to_what_fits_and_keeps_its_link(desk: Desk, kind: Kind) -> None:
    after = {f"field_{number}": "很长的文字" * 60 for number in range(30)}

    text = text_of(desk, kind, reason="原因" * 2000, after=after)

    assert len(text.body.encode()) <= transport_of(kind).longest
    assert "https://desk.example.com/" in text.body
    assert "…" in text.body


def test_wecom_takes_4096_bytes() -> None:
    assert transport_of(Kind.WECOM).longest == 4096


def test_text_is_cut_between_characters() -> None:
    assert cut("abcdef", 4) == "abc…"
    assert cut_bytes("好好好好", 9) == "好好…"
    assert cut_bytes("好好", 6) == "好好"
    assert plain(" a\t\n b\u200b ") == "a b"
    assert harmless("[x](http://y)") == "［x］(http:⁄⁄y)"


def test_the_reader_has_a_language(desk: Desk) -> None:
    """Level names come from Django's catalogues of ours; dates and words follow."""
    from django.utils import translation

    body = text_of(desk, language="zh-hans").body

    with translation.override("zh-hans"):
        assert str(AuditLevel.WARNING.label) in body
