"""Customers and their exchange accounts, for programs."""
