"""Telling open pages what to look at again: relay, sockets, and what was missed."""
