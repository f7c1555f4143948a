"""Every address of the API. A room's own addresses stand in its `api/urls.py`."""

from __future__ import annotations

from django.urls import include, path, re_path

from config.api import docs
from config.api.signals import urlpatterns as signals
from customers.api.urls import urlpatterns as customers
from signals.api.urls import urlpatterns as sources
from strategies.api.urls import urlpatterns as strategies
from trading.api.urls import urlpatterns as trading

# In the order in which the document lists them.
V1 = [*customers, *sources, *signals, *strategies, *trading]

urlpatterns = [
    path("v1/", include(V1)),
    path("schema/", docs.Document.as_view(), name="api_schema"),
    path("docs/", docs.Page.as_view(), name="api_docs"),
    # Last: whatever else is asked for is refused in the envelope, not with a page.
    re_path(r"", docs.Unknown.as_view(), name="api_unknown"),
]
