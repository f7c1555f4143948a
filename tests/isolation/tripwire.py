"""Reads every SQL statement: one that touches a desk's table must name that desk."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connection

from tests.isolation.worlds import tenant_models

QUOTE: Final = r'["`]'
FROM: Final = re.compile(rf"\bFROM {QUOTE}(\w+){QUOTE}(?: (\w+))?")
JOIN: Final = re.compile(rf"\bJOIN {QUOTE}(\w+){QUOTE}(?: (\w+))? ON \(([^()]*)\)")
UPDATE: Final = re.compile(rf"^UPDATE {QUOTE}(\w+){QUOTE}")
INSERT: Final = re.compile(rf"^INSERT (?:OR IGNORE |IGNORE )?INTO {QUOTE}(\w+){QUOTE} \(([^)]*)\)")
# Words that may follow a table's name and are not its alias.
KEYWORDS: Final = {"WHERE", "INNER", "LEFT", "ORDER", "GROUP", "LIMIT", "SET", "UNION", "FORCE"}

# Statements without the desk, each with the reason why it reads no other desk's rows.
ALLOWED: Final = {
    r"^DELETE FROM .\w+. WHERE .\w+.\..id. IN \(": "rows that were loaded in the open scope",
}


@dataclass
class Tripwire:
    """Collects what no statement may be; `seen` proves that statements were looked at."""

    tenant_id: int
    tables: set[str]
    seen: int = 0
    caught: list[str] = field(default_factory=list)

    def __call__(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        if many:
            params = list(params)
        for row in params if many else [params]:
            for fault in self.faults(sql, tuple(row or ())):
                self.caught.append(f"{fault}: {sql[:600]}")
        return execute(sql, params, many, context)

    def faults(self, sql: str, params: tuple[Any, ...]) -> Iterator[str]:
        if any(re.search(pattern, sql) for pattern in ALLOWED):
            return
        if inserted := INSERT.match(sql):
            yield from self._insert(inserted, params)
        if updated := UPDATE.match(sql):
            yield from self._source(sql, params, updated[1], updated[1])
        for found in FROM.finditer(sql):
            yield from self._source(sql, params, found[1], _alias(found))
        for found in JOIN.finditer(sql):
            yield from self._join(sql, params, found)

    def _insert(self, found: re.Match[str], params: tuple[Any, ...]) -> Iterator[str]:
        if found[1] not in self.tables:
            return
        self.seen += 1
        columns = re.findall(r"\w+", found[2])
        if "tenant_id" not in columns:
            yield f"insert into {found[1]} without a desk"
            return
        given = params[columns.index("tenant_id") :: len(columns)]
        if set(given) != {self.tenant_id}:
            yield f"insert into {found[1]} for {given}"

    def _source(self, sql: str, params: tuple[Any, ...], table: str, alias: str) -> Iterator[str]:
        if table not in self.tables:
            return
        self.seen += 1
        if not self._bound(sql, params, alias):
            yield f"{table} without its desk"

    def _join(self, sql: str, params: tuple[Any, ...], found: re.Match[str]) -> Iterator[str]:
        """A joined row belongs to the desk of the row it hangs on, which save() sees to; so
        the table it hangs on must be a desk's, or it must be narrowed itself."""
        if found[1] not in self.tables:
            return
        self.seen += 1
        others = set(re.findall(rf"{QUOTE}?(\w+){QUOTE}?\.", found[3])) - {_alias(found)}
        hangs = {_table_of(sql, other) for other in others} & self.tables
        if not hangs and not self._bound(sql, params, _alias(found)):
            yield f"{found[1]} joined to what belongs to no desk"

    def _bound(self, sql: str, params: tuple[Any, ...], alias: str) -> bool:
        """Whether `alias.tenant_id = %s` is there, and what is bound is this desk."""
        pattern = rf"{QUOTE}?\b{alias}{QUOTE}?\.{QUOTE}tenant_id{QUOTE} = %s"
        spots = [m.end() for m in re.finditer(pattern, sql)]
        values = [params[sql[:end].count("%s") - 1] for end in spots]
        return bool(values) and set(values) == {self.tenant_id}


@contextmanager
def tripwire(tenant_id: int) -> Iterator[Tripwire]:
    wire = Tripwire(tenant_id, {model._meta.db_table for model in tenant_models()})
    with connection.execute_wrapper(wire):
        yield wire


def _alias(found: re.Match[str]) -> str:
    name = found[2] if found[2] and found[2] not in KEYWORDS else found[1]
    return str(name)


def _table_of(sql: str, alias: str) -> str:
    named = re.search(rf"{QUOTE}(\w+){QUOTE} {alias}\b", sql)
    return named[1] if named else alias
