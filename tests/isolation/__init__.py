"""Two desks in one house: nothing of one is visible to the other."""
