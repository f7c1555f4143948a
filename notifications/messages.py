"""The text of a message: in the destination's language and the desk's zone, cut to what fits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.display import exact_time
from accounts.enums import AuditLevel
from accounts.models import AuditEntry, Tenant
from accounts.sealed import MASK
from notifications.enums import Kind
from notifications.models import Destination, Notification
from notifications.transports.contract import Text
from notifications.words import field_name, headline

TEST: Final = "message.test"
DIGEST: Final = "message.digest"
ELLIPSIS: Final = "…"
SUBJECT: Final = 120
MOST_CHANGES: Final = 12
_FOLDERS: Final = {Kind.EMAIL: "email", Kind.DINGTALK: "dingtalk", Kind.WECOM: "wecom"}
# How long one value may be; the next smaller one is tried while the whole is too long.
_LENGTHS: Final = (600, 200, 80, 30)
_INVISIBLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]+")


def snapshot(entry: AuditEntry) -> dict[str, Any]:
    """What a message will say of a diary entry. Secrets were masked when it was written."""
    return {
        "object": entry.object_label,
        "object_type": entry.object_type,
        "object_id": entry.object_id,
        "actor": entry.actor_label,
        "reason": entry.reason[:1000],
        "at": entry.at.isoformat(),
        "changes": _changes(entry.before or {}, entry.after or {}),
    }


def compose(notification: Notification, tenant: Tenant, *, longest: int) -> Text:
    """Subject and body for the destination of this notification."""
    destination = notification.destination
    with translation.override(destination.language), timezone.override(tenant.zone):
        body = ""
        for length in _LENGTHS:
            body = _body(notification, tenant, length)
            if len(body.encode()) <= longest:
                break
        return Text(
            subject=cut(_subject(notification, tenant), SUBJECT),
            body=cut_bytes(body, longest),
            ident=str(notification.pk),
        )


def plain(text: object, length: int = SUBJECT) -> str:
    """One line, without characters that only machines see."""
    return cut(" ".join(_INVISIBLE.sub(" ", str(text)).split()), length)


def cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + ELLIPSIS


def cut_bytes(text: str, longest: int) -> str:
    """The text in at most `longest` bytes of UTF-8, never in the middle of a character."""
    raw = text.encode()
    if len(raw) <= longest:
        return text
    kept = raw[: longest - len(ELLIPSIS.encode())].decode(errors="ignore")
    return kept + ELLIPSIS


def _subject(notification: Notification, tenant: Tenant) -> str:
    level = notification.get_level_display()
    if notification.kind == TEST:
        return plain(_("%(desk)s: test message") % {"desk": tenant.name})
    if notification.kind == DIGEST:
        told = _count(notification.params.get("count", 0))
        return plain(f"{tenant.name}: {told}")
    told = headline(notification.kind)
    about = notification.params.get("object") or ""
    text = f"[{level}] {tenant.name}: {told}"
    return plain(f"{text} ({about})" if about else text)


def _body(notification: Notification, tenant: Tenant, length: int) -> str:
    folder = _FOLDERS[Kind(notification.destination.kind)]
    names = {TEST: "test", DIGEST: "digest"}
    name = names.get(notification.kind, "entry")
    context: dict[str, Any] = {
        "desk": plain(tenant.name),
        "destination": plain(notification.destination.name),
        "level": notification.get_level_display(),
        "headline": headline(notification.kind),
        "link": _link(notification),
    }
    params = notification.params
    if name == "digest":
        context["headline"] = _count(params.get("count", 0))
        context |= {"lines": list(_digest_lines(params, length)), "more": _more(params)}
    elif name == "entry":
        context["facts"] = list(_facts(params, length))
    text = render_to_string(f"notifications/{folder}/{name}.txt", context)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _facts(params: dict[str, Any], length: int) -> Iterable[tuple[str, str]]:
    rows = (
        (_("About"), params.get("object")),
        (_("Reason"), params.get("reason")),
        (_("Done by"), params.get("actor")),
    )
    for label, value in rows:
        if value:
            yield label, plain(value, length)
    for change in params.get("changes", ()):
        yield field_name(plain(change[0], 60)), plain(change[1], length)
    if at := _moment(params.get("at")):
        yield _("Time"), exact_time(at)


def _digest_lines(params: dict[str, Any], length: int) -> Iterable[str]:
    for level, kind, about in params.get("first", ()):
        told = f"[{AuditLevel(level).label}] {headline(kind)}"
        yield plain(f"{told}: {about}" if about else told, length)


def _count(count: int) -> str:
    words = ngettext("%(n)d further message", "%(n)d further messages", count)
    return words % {"n": count}


def _more(params: dict[str, Any]) -> str:
    rest = params.get("count", 0) - len(params.get("first", ()))
    if rest <= 0:
        return ""
    return ngettext("and %(n)d more", "and %(n)d more", rest) % {"n": rest}


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[list[str]]:
    """`name`, `old → new` of what differs; masked values only say that they did."""
    found = []
    for name in list(after)[:MOST_CHANGES]:
        new, old = after[name], before.get(name)
        if new == old and new != MASK:
            continue
        text = _text(new) if old in (None, "") else f"{_text(old)} → {_text(new)}"
        found.append([str(name), text])
    return found


def _text(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return plain(json.dumps(value, ensure_ascii=False), 300)
    return plain("—" if value in (None, "") else value, 300)


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def _link(notification: Notification) -> str:
    """The admin page of what it is about, else of its diary entry; none without PUBLIC_URL."""
    if not settings.PUBLIC_URL:
        return ""
    if notification.kind == DIGEST:
        path = reverse("admin:accounts_auditentry_changelist")
        return f"{settings.PUBLIC_URL}{path}"
    if notification.entry_id is None:
        return f"{settings.PUBLIC_URL}{_page(notification.destination)}"
    about = notification.params
    label = str(about.get("object_type", "")).replace(".", "_")
    try:
        path = reverse(f"admin:{label}_change", args=(quote(str(about.get("object_id"))),))
    except NoReverseMatch:
        path = reverse("admin:accounts_auditentry_change", args=(notification.entry_id,))
    return f"{settings.PUBLIC_URL}{path}"


def _page(destination: Destination) -> str:
    return reverse("admin:notifications_destination_change", args=(destination.pk,))
