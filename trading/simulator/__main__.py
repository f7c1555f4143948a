"""The program: `python -m trading.simulator --port 0 --account KEY:SECRET:PASSPHRASE:USDT`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import sys
from collections.abc import Sequence
from decimal import setcontext
from pathlib import Path
from typing import Any, Final

from trading.simulator import guard
from trading.simulator.decimals import EXACT, parse_whole
from trading.simulator.ledger import DamagedLedgerError
from trading.simulator.opening import BadAccountError, Opening, parse_account
from trading.simulator.recording import BadRecordingError, check_recording
from trading.simulator.scenario_file import BadScenarioError, Scenario, read_scenario
from trading.simulator.server import Options, serve
from trading.simulator.state import HISTORY_KEPT

_SHORTEST_HISTORY: Final = 20
_FASTEST: Final = 1000
_TOKEN: Final = "SIMULATOR_CONTROL_TOKEN"  # noqa: S105 - the name of the variable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="REST and WebSocket; 0 picks one")
    parser.add_argument("--control-port", type=int, default=0, help="control API; 0 picks one")
    parser.add_argument(
        "--account",
        action="append",
        default=[],
        type=_account,
        metavar="KEY:SECRET:PASSPHRASE:USDT",
    )
    parser.add_argument("--control-host", default="127.0.0.1", help="address of the control API")
    parser.add_argument(
        "--control-token",
        default=os.environ.get(_TOKEN, ""),
        help=f"what control calls must bear; needed off loopback; default: ${_TOKEN}",
    )
    parser.add_argument("--scenario", type=_scenario, default=None, metavar="FILE")
    parser.add_argument(
        "--replay",
        type=_recording,
        default=None,
        metavar="CSV",
        help="play these prices: columns time, inst_id, price",
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--speed", type=_speed, default=1, help="how many times as fast prices walk"
    )
    parser.add_argument("--no-market", action="store_true", help="prices stand still")
    parser.add_argument("--limits", choices=("okx", "off"), default="okx")
    parser.add_argument("--ledger", type=Path, default=None, help="file to keep the ledger in")
    parser.add_argument("--fsync", action="store_true", help="wait for the disk before answering")
    parser.add_argument(
        "--history",
        type=_history,
        default=HISTORY_KEPT,
        help="how many ended orders, fills and bills of an account stay in memory",
    )
    parser.add_argument("--latency-ms", type=int, default=0)
    parser.add_argument(
        "--tls",
        type=Path,
        default=None,
        metavar="FOLDER",
        help="also speak TLS, with the certificate in this folder; made when there is none",
    )
    parser.add_argument("--tls-port", type=int, default=0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM; prints one JSON line with the addresses when ready."""
    parser = argparse.ArgumentParser(prog="simulator", description=__doc__)
    add_arguments(parser)
    given = parser.parse_args(arguments)
    _check_token(parser, given)
    setcontext(EXACT.copy())
    _raise_open_files()
    try:
        _runner()(serve(_options(given), _announce))
    except BlockingIOError:
        parser.error(f"another process uses the ledger {given.ledger}")
    except (BadAccountError, DamagedLedgerError) as error:
        parser.error(str(error))
    return 0


def _options(given: argparse.Namespace) -> Options:
    return Options(
        host=given.host,
        port=given.port,
        control_port=given.control_port,
        accounts=tuple(given.account),
        seed=given.seed,
        moving=not given.no_market,
        limits=given.limits == "okx",
        ledger=given.ledger,
        fsync=given.fsync,
        latency_ms=given.latency_ms,
        speed=given.speed,
        history=given.history,
        tls=given.tls,
        tls_port=given.tls_port,
        control_host=given.control_host,
        control_token=given.control_token,
        scenario=given.scenario,
        recording=given.replay,
    )


def _check_token(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """An exchange that desks share must not be anybody's to move."""
    token = given.control_token
    if not token and not guard.is_loopback(given.control_host):
        parser.error("--control-token is needed when --control-host is not on loopback")
    if token and (len(token) < guard.LEAST_TOKEN or not token.isascii()):
        parser.error(f"--control-token needs at least {guard.LEAST_TOKEN} ASCII characters")


def _scenario(path: str) -> Scenario:
    """Read and checked whole before anything starts."""
    try:
        return read_scenario(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise argparse.ArgumentTypeError(f"cannot read {path}: {error}") from error
    except BadScenarioError as error:
        raise argparse.ArgumentTypeError(f"{path}: {error}") from error


def _recording(path: str) -> Path:
    try:
        return check_recording(Path(path))
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot read {path}: {error}") from error
    except BadRecordingError as error:
        raise argparse.ArgumentTypeError(f"{path}: {error}") from error


def _account(text: str) -> Opening:
    try:
        return parse_account(text)
    except BadAccountError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _history(text: str) -> int:
    value = parse_whole(text, 9)
    if value is None or value < _SHORTEST_HISTORY:
        raise argparse.ArgumentTypeError(f"a whole number from {_SHORTEST_HISTORY} is expected")
    return value


def _speed(text: str) -> int:
    value = parse_whole(text, 4)
    if not value or value > _FASTEST:
        raise argparse.ArgumentTypeError(f"a whole number from 1 to {_FASTEST} is expected")
    return value


def _raise_open_files() -> None:
    """As many sockets as this machine lets us have without asking."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # some systems count what they do not give
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _announce(addresses: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(addresses) + "\n")
    sys.stdout.flush()


def _runner() -> Any:
    """uvloop when it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run


if __name__ == "__main__":
    sys.exit(main())
