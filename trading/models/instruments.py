"""What can be traded in each market, and its prices. Global rows: no tenant."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.fields import ExactDecimalField
from customers.enums import Market


class Instrument(models.Model):
    """An OKX instrument as one market lists it. Quantities are contracts (spot: base units)."""

    market = models.CharField(_("market"), max_length=16, choices=Market)
    inst_id = models.CharField(_("instrument"), max_length=40)
    inst_type = models.CharField(_("type"), max_length=12)
    base_currency = models.CharField(_("base"), max_length=20, blank=True)
    quote_currency = models.CharField(_("quote"), max_length=20, blank=True)
    settle_currency = models.CharField(_("settled in"), max_length=20, blank=True)
    contract_value = ExactDecimalField(_("contract value"), default=Decimal(1))
    contract_type = models.CharField(_("contract type"), max_length=12, blank=True)
    lot_size = ExactDecimalField(_("lot size"))
    tick_size = ExactDecimalField(_("tick size"))
    min_size = ExactDecimalField(_("minimum size"))
    max_market_size = ExactDecimalField(_("maximum market order"), null=True)
    max_limit_size = ExactDecimalField(_("maximum limit order"), null=True)
    max_leverage = ExactDecimalField(_("maximum leverage"), null=True)
    state = models.CharField(_("state"), max_length=16)
    expires_at = models.DateTimeField(
        _("delisted"), null=True, help_text=_("When it ends, as the exchange has announced.")
    )
    updated_at = models.DateTimeField(_("updated"))

    class Meta:
        verbose_name = _("instrument")
        verbose_name_plural = _("instruments")
        ordering = ("market", "inst_id")
        constraints = (
            models.UniqueConstraint(
                fields=("market", "inst_id"), name="instrument_once_per_market"
            ),
        )

    def __str__(self) -> str:
        return f"{self.inst_id} ({self.market})"

    @property
    def is_spot(self) -> bool:
        return self.inst_type == "SPOT"

    @property
    def is_live(self) -> bool:
        return self.state == "live"


class InstrumentVersion(models.Model):
    """How an instrument was listed from one moment until another; the last one has no end."""

    instrument = models.ForeignKey(
        Instrument,
        verbose_name=_("instrument"),
        on_delete=models.CASCADE,
        related_name="versions",
    )
    contract_value = ExactDecimalField(_("contract value"))
    lot_size = ExactDecimalField(_("lot size"))
    tick_size = ExactDecimalField(_("tick size"))
    min_size = ExactDecimalField(_("minimum size"))
    max_market_size = ExactDecimalField(_("maximum market order"), null=True)
    valid_from = models.DateTimeField(_("valid from"))
    valid_until = models.DateTimeField(_("valid until"), null=True)

    class Meta:
        verbose_name = _("version of an instrument")
        verbose_name_plural = _("versions of instruments")
        ordering = ("instrument", "-valid_from")
        constraints = (
            models.UniqueConstraint(
                fields=("instrument", "valid_from"), name="instrument_version_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.instrument} {self.valid_from:%Y-%m-%d %H:%M}"


class MarketPrice(models.Model):
    """The last ticker and mark price of an instrument. Times are the exchange's."""

    market = models.CharField(_("market"), max_length=16, choices=Market)
    inst_id = models.CharField(_("instrument"), max_length=40)
    last = ExactDecimalField(_("last"), null=True)
    bid = ExactDecimalField(_("bid"), null=True)
    ask = ExactDecimalField(_("ask"), null=True)
    mark = ExactDecimalField(_("mark price"), null=True)
    ticker_at = models.DateTimeField(_("ticker time"), null=True)
    mark_at = models.DateTimeField(_("mark price time"), null=True)

    class Meta:
        verbose_name = _("market price")
        verbose_name_plural = _("market prices")
        ordering = ("market", "inst_id")
        constraints = (
            models.UniqueConstraint(fields=("market", "inst_id"), name="price_once_per_market"),
        )

    def __str__(self) -> str:
        return f"{self.inst_id} {self.mark or self.last}"

    def is_stale(self, now: datetime, after_s: int) -> bool:
        """True when the mark price is missing or older than `after_s` seconds."""
        return self.mark_at is None or now - self.mark_at > timedelta(seconds=after_s)
