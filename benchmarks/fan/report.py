"""The report as people read it."""

from __future__ import annotations

from typing import Any


def table(report: dict[str, Any]) -> str:
    told = report["machine"]
    rows = [
        f"{told['cores']} x {told['processor']}, Python {told['python']}, load {told['load']}, "
        + ", ".join(f"{name} {version}" for name, version in told["packages"].items())
        + ", "
        + ", ".join(told["databases"])
    ]
    for part in report["parts"]:
        rows += ["", part["name"]]
        rows += [_line(line) for line in part["lines"]]
        rows += [f"  void: {void}" for void in part["void"]]
    rows += [
        "",
        f"{report['seconds']} s; " + ("all reached" if report["reached"] else "NOT ALL REACHED"),
    ]
    return "\n".join(rows)


def _line(line: dict[str, Any]) -> str:
    if line["median"] is None:
        return f"  {line['what']:52} no valid round"
    unit = "" if line["unit"] == "x" else f" {line['unit']}"
    numbers = f"{_number(line['median'])} [{_number(line['min'])} .. {_number(line['max'])}]{unit}"
    if line["limit"] is None:
        return f"  {line['what']:52} {numbers}"
    sign = ">=" if line["at_least"] else "<="
    verdict = "ok" if line["reached"] else "NOT OK"
    each = " ".join(_number(value) for value in line["rounds"])
    return f"  {line['what']:52} {numbers}  {sign} {line['limit']:g}  {verdict}   ({each})"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
