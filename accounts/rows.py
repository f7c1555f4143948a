"""Reading many rows as plain tuples, with each value converted once however often it comes."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django.db import connections

REMEMBERED = 4096


def fetch(queryset: Any) -> list[tuple[Any, ...]]:
    """The rows of a `values_list` queryset, as evaluating it would give them, for less.

    Rows of one batch repeat each other: prices, times, ratios. Django converts every one anew.
    """
    using = queryset.db
    compiler = queryset.query.get_compiler(using=using)
    chunks = compiler.execute_sql(chunked_fetch=False)
    if chunks is None:
        return []
    expressions = [column[0] for column in compiler.select]
    converters = [
        (place, _converter(functions, expression, connections[using]))
        for place, (functions, expression) in compiler.get_converters(expressions).items()
    ]
    rows = []
    for chunk in chunks:
        for raw in chunk:
            row = list(raw)
            for place, convert in converters:
                if row[place] is not None:
                    row[place] = convert(row[place])
            rows.append(tuple(row))
    return rows


def _converter(
    functions: list[Callable[..., Any]], expression: Any, connection: Any
) -> Callable[[Any], Any]:
    """The converters of one column as one function. None stays None for all that we store."""

    def convert(value: Any) -> Any:
        for function in functions:
            value = function(value, expression, connection)
        return value

    return lru_cache(REMEMBERED)(convert)
