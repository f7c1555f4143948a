"""Programs of desk A at every address of the API, with desk B's ids wherever one is taken."""

from __future__ import annotations

import uuid

import pytest

from tests import factories as make
from tests.api.calls import Program
from tests.isolation.worlds import Desks

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def test_a_foreign_row_answers_as_one_that_never_was(desks: Desks) -> None:
    program = Program(make.make_token(desks.a.owner, desks.a.tenant))
    for name, row in (("customers", desks.b.customers[0]), ("accounts", desks.b.accounts[0])):
        told = [program.get(f"{name}/{uid}") for uid in (row.uid, uuid.uuid4())]

        assert [each.status_code for each in told] == [404, 404]
        assert told[0].json()["error"] == told[1].json()["error"]
