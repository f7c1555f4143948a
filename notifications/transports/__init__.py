"""The ways to reach people: one folder each, with the same two files, found by their kind."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from django.utils.module_loading import import_string

from notifications.enums import Kind
from notifications.transports.contract import Result, Text, Transport

__all__ = ["Result", "Text", "Transport", "transport_of"]

REGISTRY: Final = {
    Kind.EMAIL: "notifications.transports.email.transport.Email",
    Kind.DINGTALK: "notifications.transports.dingtalk.transport.DingTalk",
    Kind.WECOM: "notifications.transports.wecom.transport.WeCom",
}


@cache
def transport_of(kind: str) -> Transport[Any]:
    transport: Transport[Any] = import_string(REGISTRY[Kind(kind)])()
    return transport
