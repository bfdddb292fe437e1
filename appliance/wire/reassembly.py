"""UDP datagrams that IPv4 cut into fragments, put together again (RFC 815): for captures of feeds only.

Of overlapping fragments the first that came counts. At most LIMIT datagrams are followed at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from appliance.wire.packets import Packets

LIMIT = 256
LONGEST_BYTES = 65_535
_UDP = 17
_MORE, _PLACE = 0x2000, 0x1FFF


@dataclass
class _Datagram:
    """Fragments by where they begin; `size_bytes` is known from the last one."""

    pieces: dict[int, bytes] = field(default_factory=dict)
    size_bytes: int = -1

    def whole(self) -> bytes | None:
        """Its bytes, if all of them are there."""
        content = b""
        for begin in sorted(self.pieces):
            if begin > len(content):
                return None
            content += self.pieces[begin][len(content) - begin :]
        return content[: self.size_bytes] if 0 <= self.size_bytes <= len(content) else None


@dataclass(frozen=True)
class Whole:
    """A datagram with its UDP header, at the frame of the fragment that completed it."""

    at: int
    time_ns: int
    sender: int
    receiver: int
    content: bytes


class Reassembly:
    """Fragments of one capture. `unfinished` counts datagrams that were given up."""

    def __init__(self) -> None:
        self.unfinished = 0
        self._datagrams: dict[tuple[int, int, int], _Datagram] = {}

    def take(self, batches: Iterable[Packets]) -> list[Whole]:
        """The datagrams that are whole with these packets."""
        found = [whole for packets in batches if packets.family == 4 for whole in self._take(packets)]
        return sorted(found, key=lambda whole: whole.at)

    def finish(self) -> int:
        """No more packets come: how many datagrams were given up since the last call."""
        given_up, self.unfinished = self.unfinished + len(self._datagrams), 0
        self._datagrams.clear()
        return given_up

    def _take(self, packets: Packets) -> list[Whole]:
        rows = np.flatnonzero(is_fragment(packets) & (packets.shape & np.uint16(0xFF) == _UDP))
        found = []
        for row, end in zip(rows.tolist(), packets.ends(rows).tolist(), strict=True):
            begin = int(packets.network[row])
            header = packets.frames.data[begin : begin + 20].tobytes()
            source, destination, name, control = (
                int.from_bytes(header[at:until], "big") for at, until in ((12, 16), (16, 20), (4, 6), (6, 8))
            )
            piece = packets.frames.data[begin + 4 * (header[0] & 15) : end].tobytes()
            content = self._piece((source, destination, name), control, piece)
            if content is not None:
                at, time_ns = int(packets.at[row]), int(packets.time[row])
                found.append(Whole(at, time_ns, source, destination, content))
        return found

    def _piece(self, key: tuple[int, int, int], control: int, piece: bytes) -> bytes | None:
        begin = 8 * (control & _PLACE)
        if begin + len(piece) > LONGEST_BYTES:
            return None
        datagram = self._datagrams.pop(key, None) or _Datagram()
        datagram.pieces.setdefault(begin, piece)
        if not control & _MORE:
            datagram.size_bytes = begin + len(piece)
        content = datagram.whole()
        if content is None:
            self._datagrams[key] = datagram  # at the end: the one that grew last
            if len(self._datagrams) > LIMIT:
                del self._datagrams[next(iter(self._datagrams))]
                self.unfinished += 1
        return content


def is_fragment(packets: Packets) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """(n,) which of these IPv4 packets are fragments."""
    high = packets.frames.data[packets.network + 6].astype(np.uint16)
    control = high << np.uint16(8) | packets.frames.data[packets.network + 7]
    return np.asarray(control & np.uint16(_MORE | _PLACE) != 0)
