from django.db import migrations, models


def note_keys(apps, schema_editor):
    """Keys that are stored already are used as well."""
    accounts = apps.get_model("customers", "ExchangeAccount")
    used = apps.get_model("customers", "UsedKey")
    found = accounts._base_manager.exclude(key_fingerprint=None)
    rows = [used(fingerprint=each) for each in found.values_list("key_fingerprint", flat=True)]
    used.objects.bulk_create(rows, batch_size=200)


class Migration(migrations.Migration):
    dependencies = [("customers", "0003_shadow_accounts")]

    operations = [
        migrations.CreateModel(
            name="UsedKey",
            fields=[
                (
                    "fingerprint",
                    models.CharField(max_length=64, primary_key=True, serialize=False),
                ),
            ],
            options={
                "verbose_name": "used key",
                "verbose_name_plural": "used keys",
            },
        ),
        migrations.RunPython(note_keys, migrations.RunPython.noop),
    ]
