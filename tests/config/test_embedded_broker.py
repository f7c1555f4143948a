"""The broker of files: what a worker finds after a while without one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from config.embedded_broker import Channel, Transport


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[Channel]:
    folders = {"data_folder_in": str(tmp_path), "data_folder_out": str(tmp_path)}
    options = {**folders, "control_folder": str(tmp_path / "control")}
    with Connection("filesystem://", transport=Transport, transport_options=options) as connection:
        yield connection.channel()


def message(number: int, expires: str | None) -> dict[str, Any]:
    return {"body": number, "headers": {"expires": expires}}


def test_what_expired_is_passed_over(channel: Channel, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    for number in range(50):
        channel._put("executor", message(number, (now - timedelta(seconds=1)).isoformat()))
    channel._put("executor", message(50, (now + timedelta(minutes=1)).isoformat()))
    channel._put("executor", message(51, None))
    channel._put("executor", message(52, "soon"))

    bodies = [channel._get("executor")["body"] for _ in range(3)]

    assert bodies == [50, 51, 52]
    assert list(tmp_path.glob("*.msg")) == []
