"""How figures, times, states and links are shown to people; every page goes through here."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

MINUS: Final = "−"
DASH: Final = "—"


def figure(value: Decimal | int | None, places: int | None = None, *, sign: bool = False) -> str:
    """An exact number as text: thousands, a real minus, a plus only where asked; zero has none.

    Without `places` it shows what there is, without trailing zeros.
    """
    if value is None:
        return DASH
    number = Decimal(value)
    if places is None:
        number = number.normalize()
        number = number if number.as_tuple().exponent <= 0 else number.quantize(Decimal(1))  # type: ignore[operator]
    else:
        number = number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    text = f"{abs(number):,f}"
    if number < 0:
        return f"{MINUS}{text}"
    return f"+{text}" if sign and number > 0 else text


def rounded(value: Decimal | None, places: int = 8) -> str:
    """A figure that was divided out, to `places` decimals, without trailing zeros."""
    if value is not None:
        value = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    return figure(value)


def percent(ratio: Decimal | int | None, places: int = 2, *, sign: bool = False) -> str:
    """A ratio (0.1) as people read it: `10.00 %`, in Chinese `10.00%`."""
    if ratio is None:
        return DASH
    number = figure(Decimal(ratio) * 100, places, sign=sign)
    # Translators: a percentage; Chinese puts no space before the sign.
    return pgettext("percentage", "%(number)s %%") % {"number": number}


def num(
    value: Decimal | int | None,
    places: int | None = None,
    *,
    unit: str = "",
    why: str = "",
    sign: bool = False,
) -> SafeString:
    """A figure for a column: right-aligned, tabular, with a small unit; `why` explains a dash."""
    if value is None:
        return format_html(
            '<span class="cd num-col"><span class="mut" title="{}">—</span></span>', why
        )
    return format_html(
        '<span class="cd num-col"><span class="{}">{}</span>{}</span>',
        direction(value) if sign else "",
        figure(value, places, sign=sign),
        _small(unit),
    )


def _small(unit: str) -> SafeString | str:
    """A unit in small grey; the sign of a multiple stands at its number."""
    if not unit:
        return ""
    return format_html('<span class="unit{}">{}</span>', " at" if unit == "×" else "", unit)


def share(ratio: Decimal | int | None, places: int = 2, *, why: str = "") -> SafeString:
    """A ratio (0.1) in percent for a column; `why` explains a dash."""
    if ratio is None:
        return num(None, why=why)
    return format_html('<span class="cd num-col">{}</span>', percent(ratio, places))


def direction(value: Decimal | int) -> str:
    """The class that gives a signed figure its arrow and colour."""
    if value == 0:
        return "flat"
    return "up" if value > 0 else "down"


def badge(kind: str, icon: str, word: Any, internal: str = "") -> SafeString:
    """A state as shape, icon and word; `internal` is the small grey word for staff."""
    return format_html(
        '<span class="cd"><span class="bdg k-{}"><span class="ic" aria-hidden="true">{}</span>{}'
        "</span>{}</span>",
        kind,
        icon,
        word,
        format_html('<span class="internal">{}</span>', internal) if internal else "",
    )


def when(at: datetime | None, *, seconds: bool = True) -> str:
    """`14:32:07` today, `22 Nov 14:32` this year, else with the year; in the desk's zone."""
    if at is None:
        return DASH
    local, today = timezone.localtime(at), timezone.localdate()
    if local.date() == today:
        return date_format(local, "H:i:s" if seconds else "H:i")
    if local.year == today.year:
        # Translators: a day and a time this year, as Django's date filter writes it.
        return date_format(local, pgettext("date format", "j M H:i"))
    return date_format(local, pgettext("date format", "j M Y"))


def moment(at: datetime | None) -> SafeString:
    """A short time that says the whole one, with its zone, on hover."""
    if at is None:
        return format_html('<span class="cd num-col"><span class="mut">{}</span></span>', DASH)
    local = timezone.localtime(at)
    return format_html(
        '<time class="cd num-col" datetime="{}" title="{}">{}</time>',
        local.isoformat(),
        exact_time(at),
        when(at),
    )


def exact_time(at: datetime) -> str:
    local = timezone.localtime(at)
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d} {local:%Z}"


def age(since: datetime | timedelta | None, now: datetime | None = None) -> str:
    """`42 s`, `3 min 12 s`, `2 h 05 min`, `3 d 4 h`."""
    if since is None:
        return DASH
    span = since if isinstance(since, timedelta) else (now or timezone.now()) - since
    seconds = max(0, int(span.total_seconds()))
    minutes, rest = divmod(seconds, 60)
    hours, spare = divmod(minutes, 60)
    days, left = divmod(hours, 24)
    if days:
        return _("%(days)d d %(hours)d h") % {"days": days, "hours": left}
    if hours:
        return _("%(hours)d h %(minutes)02d min") % {"hours": hours, "minutes": spare}
    if minutes:
        return _("%(minutes)d min %(seconds)02d s") % {"minutes": minutes, "seconds": rest}
    return _("%(seconds)d s") % {"seconds": rest}


def latency(span: timedelta | None) -> str:
    """Milliseconds to 999, then seconds."""
    if span is None:
        return DASH
    milliseconds = span / timedelta(milliseconds=1)
    if milliseconds < 999.5:  # noqa: PLR2004 - where the unit changes
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1000:.2f} s"


def mono(text: object) -> SafeString:
    """An identifier in full, in a fixed pitch."""
    return format_html('<span class="cd"><span class="mono">{}</span></span>', str(text) or DASH)


def short(text: object, keep: int = 6) -> SafeString:
    """An identifier shortened in the middle; whole on hover."""
    whole = str(text)
    shown = whole if len(whole) <= 2 * keep + 1 else f"{whole[:keep]}…{whole[-keep:]}"
    return format_html(
        '<span class="cd"><span class="mono" title="{}">{}</span></span>', whole, shown
    )


def two(first: object, second: object) -> SafeString:
    """Two lines of a cell: the thing, and what it belongs to in small grey."""
    return format_html(
        '<span class="cd two-l"><span class="blk b5">{}</span>'
        '<span class="blk xs mut">{}</span></span>',
        first,
        second,
    )


def two_figures(first: object, second: object) -> SafeString:
    """Two figures of a cell, one above the other; the second is smaller and grey."""
    return format_html(
        '<span class="cd num-col two-l"><span class="blk">{}</span>'
        '<span class="blk xs mut">{}</span></span>',
        first,
        second,
    )


def link_to(label: str, pk: object, text: object) -> SafeString:
    """A link to the admin page of a row, by `app_model` and key; plain text where there is none."""
    if pk is None:
        return format_html("{}", DASH)
    try:
        url = reverse(f"admin:{label}_change", args=(pk,))
    except NoReverseMatch:
        return format_html("{}", text)
    return format_html('<a class="cd" href="{}"><span class="link">{}</span></a>', url, text)


def list_of(label: str, query: str, text: object) -> SafeString:
    """A link to a narrowed list: `query` is its query string."""
    url = reverse(f"admin:{label}_changelist")
    whole = f"{url}?{query}"
    return format_html('<a class="cd" href="{}"><span class="link">{}</span></a>', whole, text)
