"""Codes given, and passwords guessed, by several at the same moment."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.db import connection
from django.test import Client

from accounts.enums import Role
from accounts.models import Authenticator, User
from accounts.two_factor import check_code
from tests import factories as make
from tests.access.authenticator import code
from tests.access.steps import enroll, log_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

CALLERS = 4


def all_at_once(call: Callable[[], Any]) -> Counter[Any]:
    answers: list[Any] = []
    ready = threading.Barrier(CALLERS)

    def run() -> None:
        try:
            ready.wait(20)
            answers.append(call())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _number in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return Counter(answers)


def test_one_of_several_wins_with_the_same_code() -> None:
    ann = make.make_user(Role.OWNER)
    secret, codes = enroll(ann)
    Authenticator.objects.update(last_step=-1)
    now = code(secret)

    with_app = all_at_once(lambda: check_code(user=User.objects.get(), code=now))
    Authenticator.objects.update(throttling_failure_count=0)
    with_recovery = all_at_once(lambda: check_code(user=User.objects.get(), code=codes[0]))

    assert (with_app["totp"], with_app[None]) == (1, CALLERS - 1)
    assert (with_recovery["recovery"], with_recovery[None]) == (1, CALLERS - 1)


def test_no_guess_is_lost_when_several_guess_at_once() -> None:
    make.make_user(Role.OWNER, username="ann")

    all_at_once(lambda: log_in(Client(), "ann", "wrong").status_code)

    assert AccessAttempt.objects.get().failures_since_start == CALLERS
