"""How often a token, and a desk as a whole, may call: fixed windows counted in the cache."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings
from django.core.cache import cache
from django.core.files import locks
from django.utils.translation import gettext as _
from rest_framework.exceptions import Throttled

from accounts.models import ApiToken

log = logging.getLogger(__name__)

WINDOW_S: Final = 60
SHARED_COUNTERS: Final = ("redis", "memcached")


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a window, as the headers of every answer tell it."""

    limit: int
    used: int
    resets_in: int

    @property
    def left(self) -> int:
        return max(0, self.limit - self.used)

    def headers(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.left),
            "X-RateLimit-Reset": str(self.resets_in),
        }


class OverLimit(Throttled):
    """Too many calls; says for how long and carries what the headers tell."""

    def __init__(self, allowance: Allowance) -> None:
        super().__init__(wait=allowance.resets_in)
        self.detail = _("Too many requests.")  # type: ignore[assignment]
        self.allowance = allowance


def spend(token: ApiToken, now: float) -> Allowance:
    """Count one call of this token and of its desk; return the tighter of the two.

    Raises OverLimit. Refused calls count too, so that hammering does not pay; but those beyond
    a token's own limit only for itself, or one program would shut out the others of its desk.
    """
    window, passed = divmod(int(now), WINDOW_S)
    resets_in = WINDOW_S - passed
    bounds = (
        (f"api:t:{token.uid.hex}:{window}", settings.API_RATE_PER_TOKEN),
        (f"api:d:{token.tenant_id}:{window}", settings.API_RATE_PER_TENANT),
    )
    told = []
    for key, limit in bounds:
        told.append(Allowance(limit, _hit(key), resets_in))
        if told[-1].used > limit:
            raise OverLimit(told[-1])
    return min(told, key=lambda each: each.left)


def _hit(key: str) -> int:
    """How many calls with this one; none when the cache is away: who may call is known, and a
    desk must be able to stop its trading then."""
    try:
        return _counted(key)
    except Exception as error:  # noqa: BLE001 - any cache, any error
        log.warning("calls of the API are not counted: %s", type(error).__name__)
        return 0


def _counted(key: str) -> int:
    with _alone():
        cache.add(key, 0, timeout=2 * WINDOW_S)
        try:
            return int(cache.incr(key))
        except ValueError:  # thrown out of the cache between the two
            cache.set(key, 1, timeout=2 * WINDOW_S)
            return 1


@contextmanager
def _alone() -> Iterator[None]:
    """One process at a time where the cache itself cannot add: it is a folder of files then."""
    if any(name in settings.CACHES["default"]["BACKEND"].lower() for name in SHARED_COUNTERS):
        yield
        return
    path = Path(settings.VAR_DIR) / "throttle.lock"
    with path.open("w") as file:
        locks.lock(file, locks.LOCK_EX)
        yield  # closing the file lets go
