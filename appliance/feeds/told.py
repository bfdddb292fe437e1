"""What every decoder of a feed takes and gives: messages in, what they tell out.

A decoder serves one sender on one port (of a stream: one connection). It never raises for hostile bytes:
what it cannot read it counts by reason. What it remembers between calls (templates, sequence numbers, data
that waits for its template) is bounded.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from appliance.model.reasons import Evidence
from appliance.model.rows import CLAIM, STATED, TRANSLATION
from appliance.model.texts import Texts

Rows = NDArray[np.void]
Address = tuple[int, int]
"""hi and lo, as in `model.addresses`."""

NOWHERE: Address = (0, 0)


@dataclass(frozen=True)
class Messages:
    """n messages of one sender, in the order they came: datagrams, lines or bodies, and when (UTC ns)."""

    received_ns: NDArray[np.int64]
    payloads: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.payloads)


@dataclass(frozen=True)
class Told:
    """What some messages told. `refused` counts what gave nothing, by Refusal; `noted` by Note.

    `lost` counts what the sender numbered and never arrived (flow records, or datagrams where a protocol
    numbers those). `answers` has what to send back for each message, once all of it is durable: b"" is
    nothing. `spoken_by` names access points that messages were about (MAC numbers), for their rhythm.
    """

    flows: Rows = field(default_factory=lambda: np.empty(0, STATED))
    claims: Rows = field(default_factory=lambda: np.empty(0, CLAIM))
    translations: Rows = field(default_factory=lambda: np.empty(0, TRANSLATION))
    refused: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    answers: Sequence[bytes] = ()
    spoken_by: frozenset[int] = frozenset()


class Decoder(Protocol):
    """One sender's messages to what they tell."""

    def decode(self, messages: Messages) -> Told:
        """Take messages in order of their arrival."""
        ...

    def expire(self, now_ns: int) -> Told:
        """What is given up waiting for: data whose template never came."""
        ...


class Teller:
    """Gathers what lines tell, one statement at a time, for decoders that see no columns."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._clear()

    def _clear(self) -> None:
        self.refused: Counter[str] = Counter()
        self.noted: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.spoken_by: set[int] = set()
        self._flows: list[tuple[object, ...]] = []
        self._claims: list[tuple[object, ...]] = []
        self._translations: list[tuple[object, ...]] = []

    def claim(
        self,
        seen_ns: int,
        evidence: Evidence,
        mac: int,
        ip: Address = NOWHERE,
        *,
        until_ns: int = 0,
        ap_mac: int = 0,
        vlan: int = -1,
        released: bool = False,
        octets: tuple[int, int] = (0, 0),
        ssid: str = "",
        user: str = "",
        session: str = "",
        class_: str = "",
    ) -> None:
        """A MAC holds an address (or, with NOWHERE, is with an access point); octets are (out, in)."""
        number = self._texts.number
        self._claims.append(
            (
                seen_ns, until_ns, *ip, mac, ap_mac, vlan, evidence, released, *octets,
                number(ssid), number(user), number(session), number(class_),
            )
        )  # fmt: skip

    def flow(self, **fields: int | bool) -> None:
        """A flow; fields of STATED, ports and VLAN not said unless given; texts by their `number`."""
        row = _NO_FLOW | fields
        self._flows.append(tuple(row.values()))

    def number(self, text: str) -> int:
        """The number of an SSID or a user, for a flow."""
        return self._texts.number(text)

    def translation(self, **fields: int | bool) -> None:
        """A translation; fields of TRANSLATION."""
        row = _NO_TRANSLATION | fields
        self._translations.append(tuple(row.values()))

    def told(self, answers: Sequence[bytes] = ()) -> Told:
        """Everything gathered, which is then forgotten here."""
        told = Told(
            np.array(self._flows, STATED),
            np.array(self._claims, CLAIM),
            np.array(self._translations, TRANSLATION),
            self.refused,
            self.noted,
            self.lost,
            answers,
            frozenset(self.spoken_by),
        )
        self._clear()
        return told


_NO_FLOW: dict[str, int | bool] = dict.fromkeys(STATED.names or (), 0) | {
    "src_port": -1,
    "dst_port": -1,
    "vlan": -1,
}
_NO_TRANSLATION: dict[str, int | bool] = dict.fromkeys(TRANSLATION.names or (), 0) | {"vlan": -1}
