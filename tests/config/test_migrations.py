"""One migration of each room makes a new installation: it must say what all of them said."""

from __future__ import annotations

from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader

ROOMS = {"accounts", "customers", "signals", "strategies", "trading", "notifications"}


def test_a_new_installation_gets_the_tables_that_an_old_one_was_led_to() -> None:
    loader = MigrationLoader(None, replace_migrations=False)
    at_once = {name: each for name, each in loader.disk_migrations.items() if each.replaces}
    new = loader.graph.make_state(nodes=list(at_once), at_end=True)
    old = loader.graph.make_state(nodes=[e.replaces[-1] for e in at_once.values()], at_end=True)

    assert {app for app, _ in at_once} >= ROOMS
    assert len(new.models) > 60
    assert set(new.models) == set(old.models)
    assert MigrationAutodetector(old, new)._detect_changes() == {}
    assert MigrationAutodetector(new, old)._detect_changes() == {}


def test_what_one_migration_replaces_is_every_one_before_it() -> None:
    loader = MigrationLoader(None, replace_migrations=False)

    for (app, name), each in loader.disk_migrations.items():
        if each.replaces and app in ROOMS:
            last = name.partition("_squashed_")[2]
            numbered = sorted(n for a, n in loader.disk_migrations if a == app and n != name)
            assert each.replaces == [(app, n) for n in numbered if n <= last]
