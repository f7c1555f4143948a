"""Nudges of the signals room."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from signals import approving, intake


@shared_task
def prune_nonces() -> None:
    """Forget the nonces whose time is over."""
    intake.prune_nonces(keep=timedelta(seconds=settings.WEBHOOK_NONCE_KEEP_S))


@shared_task
def expire_held() -> None:
    """Close what waited for approval longer than it may."""
    approving.expire_held(timezone.now())
