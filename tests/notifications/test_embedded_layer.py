"""The channel layer over a file: between processes, within one, full and late."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from notifications.live.embedded_layer import SqliteChannelLayer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).resolve().parents[2]
SENDER = """
import asyncio, sys
from notifications.live.embedded_layer import SqliteChannelLayer
async def main():
    layer = SqliteChannelLayer(path=sys.argv[1])
    for n in range(int(sys.argv[3])):
        await layer.group_send(sys.argv[2], {"type": "note", "n": n})
asyncio.run(main())
"""


@pytest.fixture
async def layers(tmp_path: Path) -> AsyncIterator[tuple[SqliteChannelLayer, SqliteChannelLayer]]:
    """Two ends of one file, as two processes would hold them."""
    path = str(tmp_path / "live.sqlite3")
    here, there = SqliteChannelLayer(path=path, capacity=5), SqliteChannelLayer(path=path)
    yield here, there
    await here.close()
    await there.close()


Layers = tuple[SqliteChannelLayer, SqliteChannelLayer]


async def received(layer: SqliteChannelLayer, channel: str) -> dict[str, Any]:
    return await asyncio.wait_for(layer.receive(channel), 5)


async def silent(layer: SqliteChannelLayer, channel: str) -> bool:
    try:
        await asyncio.wait_for(layer.receive(channel), 0.2)
    except TimeoutError:
        return True
    return False


async def test_a_group_message_reaches_every_process(layers: Layers) -> None:
    here, there = layers
    mine, theirs = await here.new_channel(), await there.new_channel()
    await here.group_add("t.1.desk", mine)
    await there.group_add("t.1.desk", theirs)

    await there.group_send("t.1.desk", {"type": "note", "v": "1.50"})

    assert await received(here, mine) == {"type": "note", "v": "1.50"}
    assert await received(there, theirs) == {"type": "note", "v": "1.50"}
    assert await silent(here, mine)


async def test_messages_to_many_groups_go_together_or_not_at_all(layers: Layers) -> None:
    here, there = layers
    mine, theirs = await here.new_channel(), await there.new_channel()
    await here.group_add("t.1.desk", mine)
    await there.group_add("t.2.desk", theirs)

    with pytest.raises(TypeError):
        await there.group_send_many([("t.1.desk", {"n": 0}), ("no spaces", {"n": 0})])
    await there.group_send_many([(f"t.{n}.desk", {"n": n}) for n in (1, 2, 3)])

    assert await received(here, mine) == {"n": 1}
    assert await received(there, theirs) == {"n": 2}
    assert await silent(here, mine)


async def test_another_group_hears_nothing(layers: Layers) -> None:
    here, there = layers
    channel = await here.new_channel()
    await here.group_add("t.1.desk", channel)

    await there.group_send("t.2.desk", {"type": "note"})

    assert await silent(here, channel)


async def test_a_channel_is_reached_by_name_from_another_process(layers: Layers) -> None:
    here, there = layers
    channel = await here.new_channel()

    await there.send(channel, {"type": "note"})

    assert await received(here, channel) == {"type": "note"}


async def test_messages_arrive_in_order(layers: Layers) -> None:
    here, there = layers
    channel = await there.new_channel()
    await there.group_add("t.1.desk", channel)

    for number in range(40):
        await here.group_send("t.1.desk", {"type": "note", "n": number})

    assert [(await received(there, channel))["n"] for _ in range(40)] == list(range(40))


async def test_what_was_sent_before_joining_is_not_replayed(layers: Layers) -> None:
    here, there = layers
    await there.group_send("t.1.desk", {"type": "note", "n": 0})
    channel = await here.new_channel()
    await here.group_add("t.1.desk", channel)

    await there.group_send("t.1.desk", {"type": "note", "n": 1})

    assert (await received(here, channel))["n"] == 1


async def test_a_full_receiver_loses_messages_and_blocks_nobody(layers: Layers) -> None:
    here, there = layers
    full, idle = await here.new_channel(), await there.new_channel()
    await here.group_add("t.1.desk", full)
    await there.group_add("t.1.desk", idle)

    for number in range(8):
        await there.group_send("t.1.desk", {"type": "note", "n": number})

    assert [(await received(there, idle))["n"] for _ in range(8)] == list(range(8))
    assert [(await received(here, full))["n"] for _ in range(5)] == list(range(5))
    assert await silent(here, full)


async def test_a_receiver_that_was_late_still_hears_what_follows(tmp_path: Path) -> None:
    layer = SqliteChannelLayer(path=str(tmp_path / "live.sqlite3"), expiry=0.1)
    channel = await layer.new_channel()
    await layer.group_add("t.1.desk", channel)
    await layer.group_send("t.1.desk", {"type": "note", "n": 0})
    await asyncio.sleep(0.3)

    await layer.group_send("t.1.desk", {"type": "note", "n": 1})

    assert (await received(layer, channel))["n"] == 1
    await layer.close()


async def test_a_left_group_is_silent(layers: Layers) -> None:
    here, there = layers
    channel = await here.new_channel()
    await here.group_add("t.1.desk", channel)
    await here.group_discard("t.1.desk", channel)

    await there.group_send("t.1.desk", {"type": "note"})

    assert await silent(here, channel)


@pytest.mark.parametrize("name", ["", "no spaces", "x" * 100])
async def test_a_wrong_group_name_is_refused(name: str, layers: Layers) -> None:
    with pytest.raises(TypeError):
        await layers[0].group_send(name, {"type": "note"})


async def test_processes_reach_each_other(tmp_path: Path) -> None:
    path = str(tmp_path / "live.sqlite3")
    layer = SqliteChannelLayer(path=path)
    channel = await layer.new_channel()
    await layer.group_add("t.1.desk", channel)

    senders = [
        subprocess.Popen(  # noqa: ASYNC220 - returns at once
            [sys.executable, "-c", SENDER, path, "t.1.desk", "20"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        )
        for _ in range(2)
    ]
    numbers = [(await asyncio.wait_for(layer.receive(channel), 20))["n"] for _ in range(40)]

    assert sorted(numbers) == sorted([*range(20), *range(20)])
    assert [sender.wait(10) for sender in senders] == [0, 0]
    await layer.close()
