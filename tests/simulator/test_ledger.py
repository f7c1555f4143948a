"""State survives a restart: it is rebuilt from the ledger file."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest

from tests.simulator.client import SPOT, SWAP, Client, Simulator, start
from trading.simulator.ledger import DamagedLedgerError, Ledger

pytestmark = pytest.mark.simulator


ISOLATED = {"instId": SWAP, "mgnMode": "isolated"}


def picture(client: Client) -> dict[str, Any]:
    return {
        "balance": [
            {name: row[name] for name in ("ccy", "cashBal", "eq", "availBal", "ordFrozen")}
            for row in client.get("account/balance").row["details"]
        ],
        "positions": client.get("account/positions").data,
        "closed": client.get("account/positions-history").data,
        "pending": client.get("trade/orders-pending").data,
        "swaps": client.get("trade/orders-history", {"instType": "SWAP"}).data,
        "spots": client.get("trade/orders-history", {"instType": "SPOT"}).data,
        "fills": client.get("trade/fills").data,
        "leverage": client.get(
            "account/leverage-info", {"instId": SWAP, "mgnMode": "isolated"}
        ).data,
        "config": client.get("account/config").data,
    }


def trade(client: Client) -> None:
    lever = {"instId": SWAP, "lever": "9", "mgnMode": "isolated"}
    client.post("account/set-leverage", lever)
    client.order(sz="3", tdMode="isolated")
    client.order(sz="1", side="sell", tdMode="isolated")
    client.order(sz="2", instId="ETH-USDT-SWAP")
    client.order(sz="2", instId="ETH-USDT-SWAP", side="sell")
    client.order(instId=SPOT, sz="500")
    client.order(ordType="limit", px="61000", clOrdId="stays")
    client.order(ordType="limit", px="61000", clOrdId="amended")
    amend = {"instId": SWAP, "clOrdId": "amended", "newSz": "4", "newPx": "60500"}
    client.post("trade/amend-order", amend)
    client.order(ordType="limit", px="61000", clOrdId="goes")
    client.post("trade/cancel-order", {"instId": SWAP, "clOrdId": "goes"})


def run(path: Path, *flags: str) -> Simulator:
    return start("--no-market", "--limits", "off", "--ledger", str(path), *flags)


@pytest.mark.parametrize("flags", [(), ("--fsync",)])
def test_everything_is_there_after_a_kill(tmp_path: Path, flags: tuple[str, ...]) -> None:
    path = tmp_path / "ledger.jsonl"
    first = run(path, "--account", "K:S:P:1000", *flags)
    client = first.account("kept", pos_mode="net_mode")
    trade(client)
    first.ask("POST", "/prices", {SWAP: "64500"})
    before = picture(client)
    seqs = [each["seq"] for each in first.entries()]
    first.kill()
    with path.open("ab") as file:
        file.write(b'{"seq": 999, "kind": "fill", "cut')

    second = run(path, "--account", "K:S:P:1000", *flags)
    again = Client(second, client.key, client.secret, client.passphrase)

    assert picture(again) == before
    assert Client(second, "K", "S", "P").balance()["cashBal"] == "1000"
    assert [each["seq"] for each in second.entries()][: len(seqs)] == seqs
    last = before["fills"][0]
    fill = again.get("trade/fills", {"ordId": again.order(sz="1").row["ordId"]}).row
    assert int(fill["tradeId"]) > 0
    assert int(fill["billId"]) > int(last["billId"])
    assert len({each["trade_id"] for each in second.entries(kind="fill", inst_id=SWAP)}) == 3
    assert second.stop() == 0


def test_an_answered_order_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    simulator = run(path, "--account", "K:S:P:1000")

    ord_id = Client(simulator, "K", "S", "P").order(sz="0.1").row["ordId"]

    text = path.read_text()
    simulator.kill()
    assert text.count(f'"ord_id":"{ord_id}"') == 2


def test_the_ledger_is_its_owners_and_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"")
    path.chmod(0o644)
    ledger = Ledger(path)

    with pytest.raises(BlockingIOError):
        Ledger(path)

    assert path.stat().st_mode & 0o777 == 0o600
    ledger.close()
    Ledger(path).close()


def test_only_a_line_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    whole = b'{"seq":1,"kind":"price"}\n'
    path.write_bytes(whole + b'{"seq":2,"ki')
    cut = Ledger(path)
    assert [each["seq"] for each in cut.read()] == [1]
    assert cut.append({"kind": "price"})["seq"] == 2
    cut.close()
    assert path.read_bytes() == whole + whole.replace(b"1", b"2")

    path.write_bytes(whole + b"not an entry\n" + whole)
    damaged = Ledger(path)
    with pytest.raises(DamagedLedgerError, match="line 2 "):
        list(damaged.read())
    damaged.close()


def test_a_nameless_ledger_forgets_its_older_half() -> None:
    ledger = Ledger(largest=100_000)
    for _ in range(20_000):
        ledger.append({"kind": "request", "path": "/"})

    kept = [each["seq"] for each in ledger.read()]

    assert kept == list(range(kept[0], 20_001))
    assert 3000 < len(kept) < 8000
    assert ledger.page(0, 1)[1] == kept[0]
    ledger.close()


async def test_callers_are_told_when_their_entries_are_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path, fsync=True)
    heard: list[int] = []

    for number in range(3):
        ledger.append({"kind": "price"})
        ledger.when_written(lambda number=number: heard.append(number))
    assert path.read_bytes() == b""
    await ledger.flush()

    assert heard == [0, 1, 2]
    assert path.read_bytes().count(b"\n") == 3
    ledger.close()


def test_a_ledger_with_another_secret_for_the_key_is_refused(tmp_path: Path) -> None:
    import subprocess
    import sys

    path = tmp_path / "ledger.jsonl"
    run(path, "--account", "K:S:P:1000").stop()

    command = [sys.executable, "-m", "trading.simulator", "--ledger", str(path)]
    refused = subprocess.run(
        [*command, "--account", "K:other:P:1000"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert refused.returncode == 2
    assert "another secret" in refused.stderr


@pytest.mark.parametrize("named", [True, False])
def test_the_ledger_is_read_from_any_entry(tmp_path: Path, *, named: bool) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl" if named else None)
    for number in range(1500):
        ledger.append({"kind": "request", "path": f"/{number}"})

    entries, last = ledger.page(1022, 3)

    assert [each["seq"] for each in json.loads(entries)] == [1023, 1024, 1025]
    assert [each["path"] for each in ledger.read(1498)] == ["/1498", "/1499"]
    assert (last, ledger.last_seq, ledger.page(1500, None)[1]) == (1025, 1500, 1500)
    assert len(ledger.entries) == 1500
    ledger.close()


def test_text_that_is_not_text_does_not_damage_the_ledger(tmp_path: Path) -> None:
    """Bytes outside UTF-8, and halves of surrogate pairs, in what anybody may send."""
    path = tmp_path / "ledger"
    simulator = run(path)
    client = simulator.account("halves")
    address = urlparse(simulator.rest)
    with socket.create_connection((address.hostname, address.port), timeout=3) as line:
        line.sendall(b"GET /\xff HTTP/1.1\r\nConnection: close\r\nOK-ACCESS-KEY: \xfe\r\n\r\n")
        assert line.recv(20).startswith(b"HTTP/1.1 404")
    refused = client.order(clOrdId="\ud800", tag="\udfff")
    assert (refused.row["sCode"], refused.row["clOrdId"]) == ("51000", "?")
    told = simulator.entries()
    assert simulator.stop() == 0

    simulator = run(path)

    assert simulator.entries() == told
    assert simulator.account("halves").balance()["cashBal"] == "100000"
    assert simulator.stop() == 0
