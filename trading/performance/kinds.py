"""Real and simulated money, told apart by the market of an account."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from customers.enums import SIMULATED_MARKETS


class Kind(TextChoices):
    """What an account trades with; figures of the two are never added."""

    REAL = "real", _("Real")
    SIMULATED = "simulated", _("Simulated")


def kind_of(market: str) -> Kind:
    return Kind.SIMULATED if market in SIMULATED_MARKETS else Kind.REAL
