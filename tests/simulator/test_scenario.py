"""Scenario files: read whole before anything happens, then run at times and events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.simulator.client import ROOT, SWAP, Client, Simulator, send, start
from trading.simulator.__main__ import main
from trading.simulator.scenario_file import BadScenarioError, read_scenario

pytestmark = pytest.mark.simulator

SHIPPED = sorted((ROOT / "trading/simulator/scenarios").glob("*.yaml"))


@pytest.fixture
def stage(own: Simulator) -> Iterator[Simulator]:
    yield own
    own.ask("DELETE", "/scenario")


def play(simulator: Simulator, text: str) -> Any:
    return send(simulator.control, "POST", "/scenario", text.encode(), {})


def wait_for(held: Callable[[], bool], within: float = 5) -> None:
    until = time.monotonic() + within
    while not held():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


def last(simulator: Simulator) -> str:
    path = f"/api/v5/market/ticker?instId={SWAP}"
    return str(send(simulator.rest, "GET", path, None, {}).row["last"])


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_scenarios_can_be_read(path: Path) -> None:
    scenario = read_scenario(path.read_text())

    assert scenario.name
    assert len(scenario.steps) > 5


@pytest.mark.parametrize(
    ("text", "line", "field"),
    [
        ("", 0, ""),
        ("steps: []", 1, "steps"),
        ("steps: [", 1, ""),
        ("a: 1\nsteps: []", 1, "a"),
        ("name: [5]\nsteps:\n- {at: 0, latency: {ms: 1}}", 1, "name"),
        ("steps:\n- {at: 0}", 2, "steps.1"),
        ("steps:\n- latency: {ms: 1}", 2, "steps.1"),
        ("steps:\n- {at: 0, on: {event: order}, latency: {ms: 1}}", 2, "steps.1"),
        ("steps:\n- at: soon\n  latency: {ms: 1}", 2, "steps.1.at"),
        ("steps:\n- at: -1\n  latency: {ms: 1}", 2, "steps.1.at"),
        ("steps:\n- at: 0\n  after: 1\n  latency: {ms: 1}", 3, "steps.1.after"),
        ("steps:\n- at: 0\n  every: 1\n  latency: {ms: 1}", 2, "steps.1"),
        ("steps:\n- at: 0\n  every: 1\n  times: 0\n  latency: {ms: 1}", 4, "steps.1.times"),
        ("steps:\n- at: 0\n  explode: {}", 3, "steps.1.explode"),
        ("steps:\n- at: 0\n  latency: {ms: no}", 3, "steps.1.latency.ms"),
        ("steps:\n- at: 0\n  latency: 5", 3, "steps.1.latency"),
        (
            "steps:\n- at: 0\n  latency: {ms: 5}\n\n- at: 1\n  limits: {mode: no}",
            6,
            "steps.2.limits.mode",
        ),
        ("steps:\n- at: 0\n  prices:\n    BTC-USDT-SWAP: 1\n    FOO: 1", 5, "steps.1.prices.FOO"),
        ("steps:\n- at: 0\n  fault:\n  - fault: hang\n  - fault: hung", 5, "steps.1.fault.2.fault"),
        ("steps:\n- at: 0\n  fault: {fault: hang, prob: 2}", 3, "steps.1.fault.prob"),
        ("steps:\n- at: 0\n  account: {key: a, secret: s}", 3, "steps.1.account.passphrase"),
        ("steps:\n- at: 0\n  deposit: {ccy: USDT, amount: 1}", 3, "steps.1.deposit.key"),
        ("steps:\n- at: 0\n  order: {key: a, instId: FOO}", 3, "steps.1.order.order"),
        ("steps:\n- on: {event: boom}\n  latency: {ms: 1}", 2, "steps.1.on.event"),
        ("steps:\n- on: {event: fill, nth: 0}\n  latency: {ms: 1}", 2, "steps.1.on.nth"),
        ("steps:\n- on: {event: fill, colour: red}\n  latency: {ms: 1}", 2, "steps.1.on.colour"),
        ("steps:\n- at: 0\n  at: 1\n  latency: {ms: 1}", 3, "steps.1"),
        ("steps:\n- &a {at: 0, clear_faults: }\n- *a", 3, ""),
        ("steps:\n- at: !!python/name:os.system x\n  clear_faults:", 2, "steps.1.at"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, line: int, field: str) -> None:
    with pytest.raises(BadScenarioError) as refused:
        read_scenario(text)

    assert (refused.value.line, refused.value.field) == (line, field)
    assert str(refused.value).startswith(f"line {line}: " if line else "name and steps")


def test_plain_words_stay_words_and_numbers_keep_their_digits() -> None:
    text = (
        "steps:\n- on: {event: order}\n  limits: {mode: off}\n  prices: {BTC-USDT-SWAP: 64000.10}"
    )

    scenario = read_scenario(text)

    assert [name for name, _ in scenario.steps[0].does] == ["limits", "prices"]


def test_steps_happen_at_their_times_and_again(stage: Simulator) -> None:
    text = f"""
name: Falling
steps:
- at: 0.1
  prices: {{{SWAP}: 64000}}
- at: 0.2
  every: 0.05
  times: 3
  prices: {{{SWAP}: {{move: "-10%"}}}}
- at: 0
  latency: {{ms: 1}}
  fault: {{fault: "http:524", match: {{account: nobody}}}}
"""
    answer = play(stage, text)

    assert (answer.status, answer.body["name"], answer.body["state"]) == (200, "Falling", "running")
    wait_for(lambda: stage.ask("GET", "/scenario").body["state"] == "done")
    assert last(stage) == "46656"
    steps = stage.ask("GET", "/scenario").body["steps"]
    assert [(each["done"], each["state"], each["line"]) for each in steps] == [
        (1, "done", 4),
        (3, "done", 6),
        (1, "done", 10),
    ]
    assert stage.ask("GET", "/limits").body["latency_ms"] == 1
    (fault,) = stage.ask("GET", "/faults").body["faults"]
    assert (fault["kind"], fault["argument"]) == ("http", "524")


def test_steps_happen_after_the_nth_event_that_matches(stage: Simulator) -> None:
    waited, other = stage.account("waitedfor"), stage.account("notwaitedfor")
    play(
        stage,
        f"""
steps:
- on: {{event: order, nth: 2, account: waitedfor, side: sell}}
  after: 0.05
  order: {{key: waitedfor, instId: {SWAP}, tdMode: cross, side: buy, ordType: market, sz: 5}}
""",
    )

    for client, side in ((other, "sell"), (waited, "buy"), (waited, "sell")):
        client.order(side=side, sz="1")
    time.sleep(0.2)
    assert stage.ask("GET", "/scenario").body["steps"][0]["state"] == "waiting"
    waited.order(side="sell", sz="1")

    wait_for(lambda: len(stage.entries(kind="order", account="waitedfor")) == 4)
    assert waited.get("account/positions").row["pos"] == "4"
    waited.order(side="sell", sz="1")
    assert stage.ask("GET", "/scenario").body["state"] == "done"
    assert len(stage.entries(kind="order", account="waitedfor")) == 5


def test_a_step_that_cannot_be_done_says_why_and_the_rest_goes_on(stage: Simulator) -> None:
    play(
        stage,
        f"""
steps:
- at: 0
  deposit: {{key: nobodyhere, ccy: USDT, amount: 5}}
  prices: {{{SWAP}: 63000}}
""",
    )

    wait_for(lambda: stage.ask("GET", "/scenario").body["state"] == "done")
    (step,) = stage.ask("GET", "/scenario").body["steps"]
    assert step["state"] == "failed"
    assert step["errors"] == ["line 3: deposit: no account nobodyhere"]
    assert last(stage) == "63000"


def test_a_bad_scenario_changes_nothing_and_stops_nothing(stage: Simulator) -> None:
    play(stage, f"steps:\n- at: 60\n  prices: {{{SWAP}: 1}}")

    answer = play(stage, f"steps:\n- at: 0\n  prices: {{{SWAP}: 60000}}\n- at: 0\n  latency: {{}}")

    assert (answer.status, answer.body["field"]) == (400, "steps.2.latency.ms")
    assert answer.body["error"].startswith("line 5: ")
    assert stage.ask("GET", "/scenario").body["state"] == "running"
    assert last(stage) == "64000"
    assert stage.ask("DELETE", "/scenario").body["state"] == "stopped"


def test_a_scenario_file_starts_with_the_program(tmp_path: Path) -> None:
    path = tmp_path / "first.yaml"
    path.write_text(
        "steps:\n- at: 0\n  account: {key: FromFile, secret: s, passphrase: p,"
        " balances: {USDT: 12.5}}"
    )
    simulator = start("--no-market", "--scenario", str(path))

    wait_for(lambda: simulator.ask("GET", "/scenario").body["state"] == "done")
    assert Client(simulator, "FromFile", "s", "p").balance()["cashBal"] == "12.5"
    assert simulator.stop() == 0


def test_a_wrong_scenario_file_ends_the_program_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("steps:\n- at: 0\n  prices: {FOO: 1}")

    with pytest.raises(SystemExit) as ended:
        main(["--scenario", str(path)])

    assert ended.value.code == 2
    assert "line 3: steps.1.prices.FOO: unknown instrument" in capsys.readouterr().err
