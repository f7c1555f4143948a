"""Trades, positions, balances, decisions, figures and the state of a desk, for programs."""
