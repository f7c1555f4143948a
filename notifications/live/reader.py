"""One socket's place in its streams: what it was told, what waits, what it has not acknowledged."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from notifications.live.relay import MANY, Frame, Item

# More items than this are one: look at everything again.
MOST_ITEMS = 200


@dataclass(slots=True)
class _Place:
    seq: int
    waiting: list[Frame] = field(default_factory=list)


class Reader:
    """Frames leave here without gaps: each begins one after the last one ended."""

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}
        self._unacked: deque[tuple[str, int, int]] = deque()
        self.unacked_bytes = 0

    @property
    def positions(self) -> dict[str, int]:
        return {stream: place.seq for stream, place in self._places.items()}

    def start(self, stream: str, seq: int) -> None:
        """Go on after this number; what waits from before it is forgotten."""
        waiting = self._places[stream].waiting if stream in self._places else []
        self._places[stream] = _Place(seq, [frame for frame in waiting if frame.seq > seq])

    def hear(self, frame: Frame) -> bool:
        """Keep a frame until it is its turn; False when it says nothing unheard."""
        place = self._places.get(frame.stream)
        if place is None or frame.seq <= place.seq:
            return False
        place.waiting.append(frame)
        return True

    def due(self) -> list[Frame]:
        """For each stream one frame of all that follows without a gap."""
        frames = [self._next(stream, place) for stream, place in self._places.items()]
        return [frame for frame in frames if frame is not None]

    def gaps(self) -> list[str]:
        """Streams in which something waits for what is missing before it."""
        return [stream for stream, place in self._places.items() if place.waiting]

    def behind(self, current: Mapping[str, int]) -> list[str]:
        """Streams that have gone further than anything heard here."""
        return [
            stream
            for stream, place in self._places.items()
            if current.get(stream, 0) > max([place.seq, *(f.seq for f in place.waiting)])
        ]

    def sent(self, stream: str, seq: int, size: int) -> None:
        self._unacked.append((stream, seq, size))
        self.unacked_bytes += size

    def ack(self, acked: Mapping[str, int]) -> None:
        """The other side has everything up to these numbers."""
        kept = [one for one in self._unacked if one[1] > acked.get(one[0], -1)]
        self._unacked = deque(kept)
        self.unacked_bytes = sum(size for _, _, size in kept)

    def _next(self, stream: str, place: _Place) -> Frame | None:
        place.waiting.sort(key=lambda frame: frame.first)
        first, items = place.seq + 1, list[Item]()
        while place.waiting and place.waiting[0].first <= place.seq + 1:
            frame = place.waiting.pop(0)
            if frame.seq > place.seq:
                items += frame.items
                place.seq = frame.seq
        if place.seq < first:
            return None
        return Frame(stream, first, place.seq, _few(items))


def _few(items: Iterable[Item]) -> tuple[Item, ...]:
    """Each object once."""
    different = tuple(dict.fromkeys(items))
    return different if len(different) <= MOST_ITEMS else (Item(MANY, ""),)
