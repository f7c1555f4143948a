"""The template side of `accounts.display`."""

from __future__ import annotations

from django import template

from accounts import display
from accounts.facts import facts

register = template.Library()

register.filter("facts", facts)
register.filter("figure", display.figure)
register.filter("percent", display.percent)
register.filter("rounded", display.rounded)
register.filter("when", display.when)
register.filter("moment", display.moment)
register.filter("exact_time", display.exact_time)
register.filter("age", display.age)
register.filter("latency", display.latency)
register.filter("short_id", display.short)
register.simple_tag(display.badge, name="badge")
register.simple_tag(display.link_to, name="link_to")
register.simple_tag(display.num, name="num")


@register.filter
def signed(value: object) -> object:
    """A figure with its sign, rounded to cents."""
    return display.figure(value, 2, sign=True)  # type: ignore[arg-type]


@register.filter
def direction(value: object) -> object:
    return display.direction(value)  # type: ignore[arg-type]
