"""Fault points do nothing unless a test or the demo asks for it by two variables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trading import faults
from trading.faults import InjectedFaultError, faultpoint, parse


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    faults._source.cache_clear()
    yield
    faults._source.cache_clear()


@pytest.mark.parametrize("environment", ["test", "demo"])
def test_a_fault_hits_its_point_and_no_other(
    monkeypatch: pytest.MonkeyPatch, settings: Any, environment: str
) -> None:
    settings.COPYDESK_ENV = environment
    monkeypatch.setenv("COPYDESK_ENABLE_FAULTS", "1")
    monkeypatch.setenv("COPYDESK_FAULTS", "S5.marked=raise")

    faultpoint("S4.claimed")
    with pytest.raises(InjectedFaultError, match=r"S5\.marked"):
        faultpoint("S5.marked")


def test_a_file_of_faults_may_change_while_the_process_lives(
    monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path
) -> None:
    settings.COPYDESK_ENV = "test"
    plan = tmp_path / "faults"
    monkeypatch.setenv("COPYDESK_ENABLE_FAULTS", "1")
    monkeypatch.setenv("COPYDESK_FAULTS", f"@{plan}")

    faultpoint("S5.marked")
    plan.write_text("S5.marked=raise\n")
    with pytest.raises(InjectedFaultError):
        faultpoint("S5.marked")
    plan.write_text("")
    faultpoint("S5.marked")


@pytest.mark.parametrize(("environment", "enabled"), [("production", "1"), ("test", "0")])
def test_faults_that_are_not_enabled_do_nothing(
    monkeypatch: pytest.MonkeyPatch, settings: Any, environment: str, enabled: str
) -> None:
    settings.COPYDESK_ENV = environment
    monkeypatch.setenv("COPYDESK_ENABLE_FAULTS", enabled)
    monkeypatch.setenv("COPYDESK_FAULTS", "S5.marked=kill")

    faultpoint("S5.marked")


def test_a_fault_without_a_chance_never_hits(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.COPYDESK_ENV = "test"
    monkeypatch.setenv("COPYDESK_ENABLE_FAULTS", "1")
    monkeypatch.setenv("COPYDESK_FAULTS", "S5.marked=raise:0")

    for _ in range(100):
        faultpoint("S5.marked")


@pytest.mark.parametrize("text", ["S5.marked", "S5.marked=explode", "S5.marked=raise:often"])
def test_a_fault_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"unknown fault|could not convert"):
        parse(text)
