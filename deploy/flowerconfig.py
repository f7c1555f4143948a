"""Flower leaves its own /metrics open, with the names of hosts and tasks: ask there too."""

from __future__ import annotations

from flower.views.monitor import Metrics
from tornado.web import authenticated

Metrics.get = authenticated(Metrics.get)
