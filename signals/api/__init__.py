"""Sources and signals, for programs."""
