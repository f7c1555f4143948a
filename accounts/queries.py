"""Queries that become SQL only inside a scope, narrowed to its tenant.

The filter is added where a query is compiled, not where it is built, so that every way of
evaluating or combining querysets passes through it.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import sql
from django.db.models.sql.where import AND, OR, NothingNode, WhereNode

from accounts.scope import Scope, ScopeError, current_scope, require_scope


class ScopedQuery(sql.Query):
    """A query that compiles only inside a scope, and only to rows of that scope."""

    reads_rows = True

    def __init__(self, model: type[models.Model] | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(model, *args, **kwargs)
        self.built_in = current_scope()
        self.start_trimmed = False

    def get_compiler(
        self, using: Any = None, connection: Any = None, elide_empty: bool = True
    ) -> Any:
        return sql.Query.get_compiler(self._restricted(), using, connection, elide_empty)

    def chain(self, klass: Any = None) -> Any:
        return super().chain(_SCOPED_CLASS.get(klass, klass))

    def trim_start(self, names_with_path: Any) -> Any:
        # The inner query of a multi-valued exclude(): it hangs on the outer, restricted one,
        # and its own first table is no longer part of the statement.
        self.start_trimmed = True
        return super().trim_start(names_with_path)

    def declare(self) -> None:
        """Belong to no scope: a class declares this query, and the first request of any desk
        may be what imports the class."""
        self.built_in = None

    def checked_scope(self) -> Scope:
        """The open scope; raises with none open or when the query was built in another."""
        scope = require_scope(self._label())
        if self.built_in is not None and not self.built_in.same_rows(scope):
            raise ScopeError(f"query of {self._label()} was built in another tenant's scope")
        return scope

    def _restricted(self) -> ScopedQuery:
        if self._selects_nothing():
            return self
        scope = self.checked_scope()
        if scope.is_all or self.start_trimmed:
            return self
        clone: Any = self.clone()
        condition = self._condition(clone.get_initial_alias(), scope)
        children = [clone.where, condition] if clone.where.children else [condition]
        clone.where = WhereNode(children, AND)
        restricted: ScopedQuery = clone
        return restricted

    def _condition(self, alias: str, scope: Scope) -> Any:
        model: Any = self.model
        field = model._meta.get_field("tenant")
        own = field.get_lookup("exact")(field.get_col(alias), scope.tenant_id)
        if not (self.reads_rows and model.reads_system_rows):
            return own
        return WhereNode([own, field.get_lookup("isnull")(field.get_col(alias), True)], OR)

    def _selects_nothing(self) -> bool:
        return self.where.connector == AND and any(
            isinstance(child, NothingNode) for child in self.where.children
        )

    def _label(self) -> str:
        return "nothing" if self.model is None else self.model._meta.label


class ScopedUpdateQuery(ScopedQuery, sql.UpdateQuery):
    reads_rows = False


class ScopedDeleteQuery(ScopedQuery, sql.DeleteQuery):
    reads_rows = False


_SCOPED_CLASS: dict[Any, type[ScopedQuery]] = {
    sql.Query: ScopedQuery,
    sql.UpdateQuery: ScopedUpdateQuery,
    sql.DeleteQuery: ScopedDeleteQuery,
}
