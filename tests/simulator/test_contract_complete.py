"""No endpoint without a contract case: a new one fails here until its rows are compared."""

from __future__ import annotations

from tests.simulator import test_algo_shapes, test_contract_private, test_rest_shapes
from trading.simulator.rest import ROUTES


def test_every_endpoint_is_compared_with_its_documented_rows() -> None:
    offered = {f"{method} {path.removeprefix('/api/v5/')}" for method, path in ROUTES}
    modules = (test_rest_shapes, test_contract_private, test_algo_shapes)

    assert offered == set().union(*(module.COVERED for module in modules))
