"""The notice of maintenance, for the pages of staff and of customers alike."""

from __future__ import annotations

from typing import Any

from django import template

from accounts.scope import current_tenant_id
from config.maintenance import notices

register = template.Library()


@register.inclusion_tag("parts/maintenance.html")
def maintenance() -> dict[str, Any]:
    """Nothing outside a desk, and nothing on ordinary days."""
    return {"notices": notices() if current_tenant_id() is not None else []}
