"""A leader trades a whole day at the simulator, and fifty accounts follow in their own ways."""
