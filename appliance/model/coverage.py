"""Coverage: the statement of what was seen and what was not, per source and period. Stored inside seals."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Coverage:
    """What one source gave between two instants.

    `packets` counts the frames read, `bytes` the IP octets of those that were recorded; `refused` counts
    frames that gave no record, by reason; `lost` counts packets known to have passed unseen, by where they
    were lost (`kernel`, `interface`, `storage`, ...); `noted` counts circumstances a reader must know (clock
    stepped back, a table was full, ports cut off, ...); `measured` holds the worst value of the period
    (`clock_offset_us`, `clock_error_us`, ...). A live source states every period in which it listened, an
    empty one too: between its periods nobody can say what passed.
    """

    source: str
    first_ns: int
    last_ns: int
    packets: int
    bytes: int
    refused: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)
    noted: Mapping[str, int] = field(default_factory=dict)
    measured: Mapping[str, int] = field(default_factory=dict)
