"""What an opening brings along: ratios of the price or the margin, and the leader's own prices."""

from __future__ import annotations

from decimal import Decimal

import pytest

from strategies.enums import ProtectionBasis
from strategies.protection import ProtectionTerms
from trading.attached import Attached, attached

D = Decimal
PRICE, MARGIN = ProtectionBasis.PRICE, ProtectionBasis.MARGIN


def of(
    terms: ProtectionTerms,
    mirrored: tuple[str | None, str | None] = (None, None),
    *,
    rising: bool = True,
    reverses: bool = False,
    entry: str | None = "100",
    leverage: str | None = None,
) -> tuple[str | None, str | None]:
    profit, loss = (None if price is None else D(price) for price in mirrored)
    found: Attached = attached(
        terms,
        mirrored=(profit, loss),
        reverses=reverses,
        rising=rising,
        entry=None if entry is None else D(entry),
        leverage=None if leverage is None else D(leverage),
    )
    take, stop = (None if p is None else f"{p.normalize():f}" for p in found)
    return take, stop


@pytest.mark.parametrize(("rising", "expected"), [(True, ("110", "95")), (False, ("90", "105"))])
def test_a_ratio_of_the_price_is_that_move_of_it(rising: bool, expected: tuple[str, str]) -> None:
    terms = ProtectionTerms(D("0.1"), D("0.05"), PRICE)
    assert of(terms, rising=rising, leverage="10") == expected


def test_a_ratio_of_the_margin_is_the_return_at_the_leverage_held_with() -> None:
    """10 % of the margin at ten times is 1 % of the price."""
    terms = ProtectionTerms(D("0.1"), D("0.5"), MARGIN)
    assert of(terms, leverage="10") == ("101", "95")
    assert of(terms, leverage="10", rising=False) == ("99", "105")
    assert of(terms) == (None, None)  # nobody knows the leverage: nothing can be said


def test_the_price_reached_first_counts() -> None:
    terms = ProtectionTerms(D("0.1"), D("0.05"), PRICE)
    assert of(terms, ("105", "90")) == ("105", "95")
    assert of(terms, ("120", "97")) == ("110", "97")
    assert of(terms, ("80", "104"), rising=False) == ("90", "104")
    assert of(terms, (None, "97")) == ("110", "97")


def test_a_reversed_follower_takes_each_for_the_other() -> None:
    """The leader is long with a profit at 110 and a loss at 95; who is short loses at 110."""
    assert of(ProtectionTerms(), ("110", "95"), rising=False, reverses=True) == ("95", "110")
    near = ProtectionTerms(D(0), D("0.05"), PRICE)
    assert of(near, ("110", "95"), rising=False, reverses=True) == ("95", "105")


def test_who_mirrors_nothing_has_only_its_own() -> None:
    assert of(ProtectionTerms(mirror=False), ("110", "95")) == (None, None)
    assert of(ProtectionTerms(D("0.3"), mirror=False), ("110", "95")) == ("130", None)


def test_a_price_that_is_never_reached_attaches_nothing() -> None:
    whole = ProtectionTerms(D(2), D(1), PRICE)
    assert of(whole) == ("300", None)  # a loss of 100 % of the price
    assert of(whole, rising=False) == (None, "200")
    assert of(whole, entry=None) == (None, None)
