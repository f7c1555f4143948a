"""Strategies and subscriptions, for programs."""
