"""The sides that are compared: each is a process of its own that waits for its round."""

from __future__ import annotations
