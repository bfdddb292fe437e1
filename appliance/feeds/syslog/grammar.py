"""What a grammar is: the lines of one kind of device, read one at a time."""

from collections.abc import Callable
from dataclasses import dataclass, field

from appliance.feeds.told import Address, Teller


@dataclass(slots=True)  # frozen takes three times as long to make
class Line:
    """A line without its header. `seen_ns` is the device's instant if it is believed, else the receipt.

    `program` is the tag or APP-NAME in lower case without its PID, "" if there is none; `host` the HOSTNAME.
    `ap_mac` is the access point that the header or, where it is one only, the declared source names; else 0.
    `places` and `exchanges` are the sender's, for what its later lines need; grammars bound what they put in:
    the place (`telling.is_last_place`) that a station (host or "", MAC) joined last, the MAC and, once it is
    given, the address of a DHCP transaction (host, number).
    """

    seen_ns: int
    received_ns: int
    by_receipt: bool
    host: str
    program: str
    text: str
    ap_mac: int = 0
    places: dict[tuple[str, int], str] = field(default_factory=dict)
    exchanges: dict[tuple[str, str], tuple[int, Address]] = field(default_factory=dict)


@dataclass(frozen=True)
class Grammar:
    """The lines of one kind of device.

    A line is given to the grammar its source is declared to speak; else to that whose `programs` hold its
    program; else to those one of whose `needles` stands in its text, in the order of their names. `read`
    returns whether the line was one of its own, even if it then told nothing but a refusal.
    """

    name: str
    read: Callable[[Line, Teller], bool]
    programs: frozenset[str] = frozenset()
    needles: tuple[str, ...] = ()
