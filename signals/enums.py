"""The words of a signal, as they are stored."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class SourceKind(TextChoices):
    WEBHOOK = "webhook", _("Webhook")
    MANUAL = "manual", _("Manual")
    SYSTEM = "system", _("System")
    LEADER = "leader", _("Leader account")
    API = "api", _("API")


class ApprovalRule(TextChoices):
    """Which signals of a source wait for a person, the strictest last."""

    NONE = "none", _("Nothing waits")
    OPENINGS = "openings", _("Openings wait")
    ALL = "all", _("Everything waits")


class SourceStatus(TextChoices):
    ENABLED = "enabled", _("Enabled")
    DISABLED = "disabled", _("Disabled")
    QUARANTINED = "quarantined", _("Set aside after repeated failures")


class Dialect(TextChoices):
    COPYDESK = "copydesk", _("Copydesk JSON")
    OKX_STRATEGY = "okx_strategy", _("OKX Signal Bot, strategy")
    OKX_UNIVERSAL = "okx_universal", _("OKX Signal Bot, universal")
    THREE_COMMAS = "three_commas", _("3Commas Signal Bot")
    OCTOBOT = "octobot", _("OctoBot KEY=VALUE")
    OPENALGO = "openalgo", _("OpenAlgo smart order")


class Intent(TextChoices):
    OPEN = "open", pgettext_lazy("trade", "Open")
    ADD = "add", pgettext_lazy("trade", "Add")
    REDUCE = "reduce", pgettext_lazy("trade", "Reduce")
    CLOSE = "close", pgettext_lazy("trade", "Close")
    FLIP = "flip", pgettext_lazy("trade", "Flip")
    TARGET = "target", pgettext_lazy("trade", "Target")
    CANCEL = "cancel", pgettext_lazy("trade", "Cancel")


class Direction(TextChoices):
    LONG = "long", _("Long")
    SHORT = "short", _("Short")


class Stance(TextChoices):
    """On which side of the market a sender says that its whole position is."""

    FLAT = "flat", _("Flat")
    LONG = "long", _("Long")
    SHORT = "short", _("Short")


class LeaderMarginMode(TextChoices):
    """How the leader margins its position, for followers who do the same."""

    CROSS = "cross", _("Cross")
    ISOLATED = "isolated", _("Isolated")


class LeaderLink(TextChoices):
    """How a leader account is heard at the moment."""

    WAITING = "waiting", _("Not connected yet")
    CONNECTED = "connected", _("Connected")
    POLLING = "polling", _("Read every few seconds")
    STALE = "stale", _("Stale")
    ERROR = "error", _("Refused by the exchange")


class QuantityMode(TextChoices):
    CONTRACTS = "contracts", _("Contracts")
    BASE = "base", _("Base currency")
    NOTIONAL = "notional", _("Notional")
    PERCENT = "percent", _("Percent of the position")
    PERCENT_EQUITY = "percent_equity", _("Percent of equity")
    PERCENT_AVAILABLE = "pct_available", _("Percent of the available balance")


class SignalPurpose(TextChoices):
    """Why the product itself made a signal, for one subscription alone."""

    NONE = "", _("—")
    EXISTING = "existing", _("Copy what the leader holds")
    EXISTING_IF_BETTER = "existing_better", _("Copy what the leader holds, if the price is better")
    LEAVE = "leave", _("Close what a subscription holds")


class Unit(TextChoices):
    """What a leader position is counted in (decided when its cycle opens)."""

    CONTRACTS = "contracts", _("Contracts")
    PERCENT_EQUITY = "percent_equity", _("Percent of equity")
    PERCENT_AVAILABLE = "pct_available", _("Percent of the available balance")


class SignalStatus(TextChoices):
    ACCEPTED = "accepted", _("Accepted")
    HELD = "held", _("Waits for approval")
    COPIED = "copied", _("Copied")
    REFUSED = "refused", _("Refused")
    EXPIRED = "expired", _("Expired")
    QUARANTINED = "quarantined", _("Set aside")


class SignalReason(TextChoices):
    """Why a signal was refused or not acted upon."""

    NONE = "", _("—")
    INVALID = "INVALID", _("Invalid")
    EXPIRED = "EXPIRED", _("Too old when it arrived")
    CLOCK_SKEW = "CLOCK_SKEW", _("Dated in the future")
    SOURCE_DISABLED = "SOURCE_DISABLED", _("Source is disabled")
    NO_STRATEGY = "NO_STRATEGY", _("No strategy follows this source")
    RATE_LIMITED = "RATE_LIMITED", _("Too many signals")
    REJECTED = "REJECTED", _("Rejected by a person")
    NOT_APPROVED = "NOT_APPROVED", _("Nobody approved it in time")
    OVERTAKEN = "OVERTAKEN", _("Overtaken by a later signal")
    POISON = "POISON", _("Set aside after repeated failures")
