"""What an empty list of the back office says."""

from __future__ import annotations

from typing import Any

from django import template
from django.urls import reverse
from django.utils.translation import gettext as _

from config.backoffice.empty import EMPTY

register = template.Library()


@register.simple_tag
def empty_list(change_list: Any) -> dict[str, Any]:
    """What will be in it, and where the next step is taken; `title` is always there."""
    told = EMPTY.get(change_list.opts.label)
    if told is None:
        return {"title": _("Nothing here yet.")}
    url = reverse(f"admin:{told.view}") if told.view else ""
    return {"title": told.title, "next": told.next, "url": url, "label": told.label}
