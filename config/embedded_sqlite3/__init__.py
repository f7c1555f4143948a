"""The database of the embedded default: SQLite, whose writers do not starve one another."""
