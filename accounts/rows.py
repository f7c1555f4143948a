"""Reading many rows as plain tuples, with each value converted once however often it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from django.db import connections

REMEMBERED = 4096


Convert = Callable[[Any], Any]


def fetch(queryset: Any) -> list[tuple[Any, ...]]:
    """The rows of a `values_list` queryset, as evaluating it would give them, for less.

    Rows of one batch repeat each other: prices, times, ratios. Django converts every one anew.
    """
    using = queryset.db
    compiler = queryset.query.get_compiler(using=using)
    chunks = compiler.execute_sql(chunked_fetch=False)
    if chunks is None:
        return []
    converters = converters_of(compiler, connections[using])
    return converted((raw for chunk in chunks for raw in chunk), converters)


def converters_of(compiler: Any, connection: Any) -> list[tuple[int, Convert]]:
    """What makes our values of the database's, by the place of the column."""
    expressions = [column[0] for column in compiler.select]
    return [
        (place, _converter(functions, expression, connection))
        for place, (functions, expression) in compiler.get_converters(expressions).items()
    ]


def converted(
    rows: Iterable[Sequence[Any]], converters: list[tuple[int, Convert]]
) -> list[tuple[Any, ...]]:
    if not converters:
        return [tuple(raw) for raw in rows]
    found = []
    for raw in rows:
        row = list(raw)
        for place, convert in converters:
            if row[place] is not None:
                row[place] = convert(row[place])
        found.append(tuple(row))
    return found


def _converter(functions: list[Callable[..., Any]], expression: Any, connection: Any) -> Convert:
    """The converters of one column as one function. None stays None for all that we store."""

    def convert(value: Any) -> Any:
        for function in functions:
            value = function(value, expression, connection)
        return value

    return lru_cache(REMEMBERED)(convert)
