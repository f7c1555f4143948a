"""The market book of the signals room, answered from our own tables."""

from __future__ import annotations

from signals.ports import InstrumentFacts, PricePoint
from trading.models import Instrument, MarketPrice


class StoredMarketBook:
    """Instruments and mark prices as the streams last wrote them. Two queries, no network."""

    def instrument(self, market: str, inst_id: str) -> InstrumentFacts | None:
        row = Instrument.objects.filter(market=market, inst_id=inst_id).first()
        if row is None or row.inst_id != inst_id:  # MySQL finds it in any case
            return None
        return InstrumentFacts(
            inst_id=row.inst_id,
            state=row.state,
            contract_value=row.contract_value,
            lot_size=row.lot_size,
            inverse=row.contract_type == "inverse",
            spot=row.is_spot,
        )

    def mark_price(self, market: str, inst_id: str) -> PricePoint | None:
        row = MarketPrice.objects.filter(market=market, inst_id=inst_id).first()
        if row is None or row.inst_id != inst_id or row.mark is None or row.mark_at is None:
            return None
        return PricePoint(row.mark, row.mark_at)
