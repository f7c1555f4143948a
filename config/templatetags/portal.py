"""Icons, badges and words of the portal's templates."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final

from django import template
from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext

from accounts.display import MINUS, figure, percent
from config.portal import looks
from config.portal.figures import size_text
from customers.enums import Market
from customers.models import ExchangeAccount
from signals.enums import Direction
from trading.enums import DecisionOutcome, OrderState, Reason, Side
from trading.explaining import explain, explain_order, instruction
from trading.orders import OrderWord, word_for

register = template.Library()
register.filter("explain", explain)
register.filter("explain_order", explain_order)
register.filter("instruction", instruction)

ORDER_LOOKS: Final = {
    OrderWord.WAITING: ("wait", "clock"),
    OrderWord.PARTLY_FILLED: ("wait", "circle-half"),
    OrderWord.FILLED: ("ok", "check-lg"),
    OrderWord.CANCELED: ("idle", "slash-circle"),
    OrderWord.FAILED: ("danger", "x-octagon"),
}
CHECKED: Final = (OrderState.UNKNOWN, OrderState.MANUAL)


@register.simple_tag
def icon(name: str) -> SafeString:
    """One of the vendored icons, drawn in the page: no font, no request."""
    return _svg(name)


@lru_cache(maxsize=64)
def _svg(name: str) -> SafeString:
    folder = settings.BASE_DIR / "static" / "vendor" / "bootstrap-icons"
    text = (folder / f"{name}.svg").read_text()
    text = re.sub(r'\s*\n\s*| (?:width|height|xmlns)="[^"]*"', "", text)
    return mark_safe(text.replace("<svg", '<svg aria-hidden="true" focusable="false"', 1))  # noqa: S308 - our own vendored file


def _badge(kind: str, name: str, word: Any) -> SafeString:
    return format_html('<span class="bdg k-{}">{}{}</span>', kind, _svg(name), word)


@register.simple_tag
def order_badge(order: Any) -> SafeString:
    """One of five words; an outcome nobody knows is waiting and being checked."""
    word = word_for(OrderState(order.state))
    kind, name = ORDER_LOOKS[word]
    badge = _badge(kind, name, word.label)
    if order.state not in CHECKED:
        return badge
    return format_html('{} <span class="internal">{}</span>', badge, _("being checked"))


@register.simple_tag
def decision_badge(decision: Any) -> SafeString:
    if decision.outcome != DecisionOutcome.COPIED:
        return _badge("idle", "dash-lg", _("Not copied"))
    if decision.reason == Reason.CAPPED:
        return _badge("warn", "arrow-down-short", _("Copied, smaller"))
    return _badge("ok", "check-lg", _("Copied"))


@register.simple_tag
def market_badge(account: ExchangeAccount) -> SafeString:
    """Money that is not real is marked wherever the account is shown; real money has no mark."""
    if account.market == Market.SIMULATOR:
        return _badge("paper", "info-circle", _("Paper"))
    if account.market == Market.DEMO:
        return _badge("paper", "info-circle", _("Demo"))
    return SafeString("")


@register.simple_tag
def side(direction: str) -> SafeString:
    """Long or short, buy or sell, with its arrow."""
    rises = direction in {Direction.LONG, Side.BUY}
    words = {
        Direction.LONG: _("Long"), Direction.SHORT: _("Short"),
        Side.BUY: _("Buy"), Side.SELL: _("Sell"),
    }  # fmt: skip
    return format_html(
        '<span class="side {}">{}{}</span>',
        "long" if rises else "short",
        _svg("arrow-up-right" if rises else "arrow-down-right"),
        words.get(direction, direction),  # type: ignore[call-overload]
    )


@register.filter
def size(value: Any, inst_id: str) -> str:
    return size_text(value, inst_id)


@register.simple_tag
def money(value: Any, unit: str = "", *, sign: bool = False) -> SafeString:
    """An amount with its unit, dollars to cents; a signed one has arrow and colour too."""
    if value is None:
        return format_html(
            '<span class="mut">—</span> <span class="visually-hidden">{}</span>', _("not known")
        )
    places = 2 if not unit or unit.startswith("USD") else None
    css = ("up" if value > 0 else "down" if value < 0 else "flat") if sign else ""
    tail = format_html('<span class="unit">{}</span>', unit) if unit else ""
    return format_html(
        '<span class="n {}">{}{}</span>', css, figure(value, places, sign=sign), tail
    )


@register.simple_tag(takes_context=True)
def theme(context: Any) -> str:
    return looks.theme_of(context.get("request")).value


@register.simple_tag(takes_context=True)
def market_colours(context: Any) -> str:
    return looks.market_of(context.get("request")).value


@register.simple_tag(takes_context=True)
def pick(context: Any, **changes: str) -> str:
    """This address with some of its parameters exchanged, and back on the first page."""
    query = context["request"].GET.copy()
    for name in ("page", "account", "money"):
        if name in changes or name == "page" or {"account", "money"} & changes.keys():
            query.pop(name, None)
    for name, value in changes.items():
        query.pop(name, None)
        if value:
            query[name] = value
    return f"?{query.urlencode()}"


@register.filter
def signed_percent(ratio: Any) -> str:
    return percent(ratio, sign=True)


@register.filter
def fall(ratio: Any) -> str:
    """A drawdown: how far below the peak, with a minus; nothing lost is plainly zero."""
    return percent(None if ratio is None else -ratio)


@register.filter
def day_time(at: Any) -> str:
    return date_format(timezone.localtime(at), "H:i")


@register.filter
def full_time(at: Any) -> str:
    """A moment for the page of one row: day, time to the second, and how far from UTC."""
    local = timezone.localtime(at)
    # Translators: a day and a time to the second, as Django's date filter writes it.
    written = date_format(local, pgettext("date format", "j M Y, H:i:s"))
    return f"{written} {zone_offset()}"


@register.simple_tag
def zone_offset() -> str:
    """How far the zone at hand is from UTC at the moment: `UTC+8`, `UTC−3:30`, `UTC`."""
    span = timezone.localtime().utcoffset() or timedelta(0)
    hours, minutes = divmod(abs(span) // timedelta(minutes=1), 60)
    if not span:
        return "UTC"
    text = f"{hours}:{minutes:02d}" if minutes else str(hours)
    return f"UTC{'+' if span > timedelta(0) else MINUS}{text}"
