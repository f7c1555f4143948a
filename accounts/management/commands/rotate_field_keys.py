"""Re-encrypt sealed columns with the first key of FIELD_KEYS."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.rotation import count_by_key, rotate, sealed_fields


class Command(BaseCommand):
    help = (
        "Re-encrypt every sealed column with the first key of FIELD_KEYS, in batches. "
        "It may be stopped and run again; a key may leave FIELD_KEYS when nothing remains under it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--batch-size", type=int, default=200)
        parser.add_argument("--dry-run", action="store_true", help="Only report what remains.")

    def handle(self, *args: Any, **options: Any) -> None:
        for model, field in sealed_fields():
            label = f"{model._meta.label}.{field.name}"
            if not options["dry_run"]:
                result = rotate(model, field, batch_size=options["batch_size"])
                self.stdout.write(f"{label}: {result.rotated} re-encrypted, {result.failed} failed")
            for key_id, count in sorted(count_by_key(model, field).items()):
                self.stdout.write(f"{label}: {count} under key {key_id}")
        if not options["dry_run"] and self._remaining():
            raise CommandError("Some texts are still under an older key; see above.")

    def _remaining(self) -> int:
        from accounts.keyring import key_ids

        return sum(
            count
            for model, field in sealed_fields()
            for key_id, count in count_by_key(model, field).items()
            if key_id != key_ids()[0]
        )
