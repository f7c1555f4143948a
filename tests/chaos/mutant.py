"""A pytest plugin that takes one guard away: `pytest -p tests.chaos.mutant` with MUTANT=name.

The product's source is changed while it is read into memory. Nothing on disk changes, and the
product has no switch for it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

from tests.chaos.guards import Guard, find


class _Loader(SourceFileLoader):
    """Compiles the changed text instead of the file, and no cached bytecode."""

    guard: Guard

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.guard.mutated(), self.path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    def __init__(self, guard: Guard) -> None:
        self.guard = guard

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.guard.module:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        assert spec is not None
        assert spec.origin is not None
        spec.loader = loader = _Loader(fullname, spec.origin)
        loader.guard = self.guard
        return spec


if name := os.environ.get("MUTANT"):
    guard = find(name)
    assert guard.module not in sys.modules, f"{guard.module} was imported too early"
    sys.meta_path.insert(0, _Finder(guard))
