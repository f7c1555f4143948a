"""The door for customers: their own figures to read, and nothing to change but how they look."""
