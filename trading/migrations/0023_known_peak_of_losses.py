from django.db import migrations

import accounts.fields


class Migration(migrations.Migration):
    dependencies = [("trading", "0022_words_of_states_and_modes")]

    operations = [
        migrations.AddField(
            model_name="lossstate",
            name="known_peak",
            field=accounts.fields.ExactDecimalField(
                decimal_places=18, default=0, editable=False, max_digits=38
            ),
        ),
        # Until payments are read again, what counted as the peak goes on to count.
        migrations.RunSQL("UPDATE trading_lossstate SET known_peak = peak", migrations.RunSQL.noop),
    ]
