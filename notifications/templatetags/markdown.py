"""Values in the robots' markdown: nobody's text becomes a link, a picture or a heading."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

# A backslash is shown by some clients and obeyed by others: what is special is replaced
# by a sign that looks like it.
_HARMLESS = str.maketrans({
    "[": "［", "]": "］", "<": "＜", ">": "＞", "*": "∗", "`": "'", "|": "｜", "~": "∼",
    "\\": "＼", "#": "＃",
})  # fmt: skip


@register.filter
def harmless(value: object) -> SafeString:
    """The text as text. Not HTML: it is put into markdown that is sent as JSON."""
    text = str(value).translate(_HARMLESS).replace("://", ":⁄⁄").replace("__", "＿＿")
    return mark_safe(text)  # noqa: S308 - never shown in a page
