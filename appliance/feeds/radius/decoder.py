"""RADIUS accounting of one sender: proven requests to claims, and an answer to each.

A session that names no address is an association: a MAC with an access point. One that names addresses
is that as well. A session whose beginning was never heard (a lost Start, a box that was off) is taken from
when it says it began.
"""

from collections import OrderedDict
from dataclasses import dataclass

from appliance.feeds.clocks import BEHIND_NS, NOT_KNOWN, is_believed
from appliance.feeds.radius import accounting, packets
from appliance.feeds.radius.accounting import Statement, Status
from appliance.feeds.radius.attributes import Attributes
from appliance.feeds.told import NOWHERE, Address, Messages, Teller, Told
from appliance.model.instants import HOUR_NS, NS
from appliance.model.reasons import Evidence, Note, Refusal
from appliance.model.texts import Texts

REPEATED_WITHIN_NS = 60 * NS
"""A client asks again for 30 s (RFC 5080 section 2.2.1, MRD); later the same octets are another interim."""

REPEATED_LIMIT = 8_192
SESSION_LIMIT = 16_384
"""Both per sender, the longest unheard of are forgotten: then a repetition is told twice, which changes
nothing, and a session is taken from when it says it began."""

REACH_NS = 24 * HOUR_NS - NS
"""How far back an unheard beginning is believed: as far as a session stands without a word of it."""


@dataclass(slots=True)
class _Session:
    """What is remembered of an open session: whose it is, its IPv4 address."""

    mac: int
    ipv4: Address = NOWHERE


class RadiusDecoder:
    """Reads the requests of one client, or proxy, that knows the secret; without a secret, none."""

    def __init__(self, texts: Texts, secret: bytes) -> None:
        self._teller = Teller(texts)
        self._secret = secret
        self._heard: OrderedDict[bytes, int] = OrderedDict()
        self._sessions: OrderedDict[tuple[bytes, str], _Session] = OrderedDict()

    def decode(self, messages: Messages) -> Told:
        """Take datagrams; `answers` has one for each, b"" for what is not proven or not understood."""
        received = messages.received_ns.tolist()
        answers = [self._take(*each) for each in zip(messages.payloads, received, strict=True)]
        return self._teller.told(answers)

    def expire(self, now_ns: int) -> Told:
        """Nothing is waited for."""
        return self._teller.told()

    def _take(self, datagram: bytes, received_ns: int) -> bytes:
        packet = packets.open_request(datagram, self._secret)
        if isinstance(packet, Refusal):
            self._teller.refused[packet] += 1
            return b""
        if packets.asks_whether_we_live(packet):
            self._teller.refused[Refusal.NOTHING_TO_KEEP] += 1
            return packets.answer_to(packet)
        if self._is_repeated(bytes((packet.id,)) + packet.authenticator, received_ns):
            self._teller.noted[Note.REPEATED] += 1
            return packets.answer_to(packet)
        attributes = Attributes(packet)
        statement = accounting.read(attributes)
        if statement is None:
            self._teller.refused[Refusal.BAD_MESSAGE] += 1
            return b""
        refusal = self._tell(statement, received_ns)
        if refusal:
            self._teller.refused[refusal] += 1
        self._teller.noted.update(+attributes.noted)
        # What tells nothing is answered too: it would only be sent again.
        return packets.answer_to(packet)

    def _is_repeated(self, key: bytes, received_ns: int) -> bool:
        """A retransmission has the same identifier and authenticator (RFC 5080 section 2.2.2)."""
        before = self._heard.get(key)
        if before is not None and abs(received_ns - before) <= REPEATED_WITHIN_NS:
            return True
        self._heard[key] = received_ns
        self._heard.move_to_end(key)
        if len(self._heard) > REPEATED_LIMIT:
            self._heard.popitem(last=False)
        return False

    def _tell(self, statement: Statement, received_ns: int) -> Refusal | None:
        seen_ns = self._instant(statement, received_ns)
        if seen_ns is None:
            return Refusal.UNDATED
        if statement.ap_mac:
            self._teller.spoken_by.add(statement.ap_mac)
        match statement.status:
            case Status.ON | Status.OFF:
                # hostapd says so of each of its networks, which it then names.
                self._teller.claim(
                    seen_ns, Evidence.RADIUS, 0, NOWHERE, ap_mac=statement.ap_mac, released=True
                )
            case Status.START | Status.INTERIM | Status.STOP if statement.mac or statement.addresses:
                self._claim(statement, seen_ns)
            case _:
                return Refusal.NOTHING_TO_KEEP
        return None

    def _instant(self, statement: Statement, received_ns: int) -> int | None:
        """When it happened (UTC ns): as the device says (RFC 2869 section 5.3), else receipt less delay."""
        if statement.event_s is not None:
            event_ns = statement.event_s * NS
            if is_believed(event_ns, received_ns):
                return event_ns
            self._teller.noted[Note.DEVICE_CLOCK] += 1
        if received_ns == NOT_KNOWN:
            return None
        delay_ns = statement.delay_s * NS
        if delay_ns > BEHIND_NS:
            self._teller.noted[Note.DEVICE_CLOCK] += 1
            delay_ns = 0
        return received_ns - delay_ns

    def _claim(self, statement: Statement, seen_ns: int) -> None:
        key = (statement.nas, statement.session or str(statement.mac))
        session = self._sessions.pop(key, None)
        if session is not None and 0 != statement.mac != session.mac != 0:
            session = None  # the device counts its sessions anew, and this is another one
        is_new = session is None
        session = session or _Session(statement.mac)
        session.mac = mac = statement.mac or session.mac
        addresses = statement.addresses or ((NOWHERE,) if mac else ())
        if is_new and statement.status != Status.START and statement.lasted_s:
            self._teller.noted[Note.SESSION_JOINED] += 1
            began_ns = seen_ns - min(statement.lasted_s * NS, REACH_NS)
            self._state(statement, mac, addresses, began_ns)
        if session.ipv4 not in (NOWHERE, statement.ipv4) and statement.ipv4 != NOWHERE:
            # Only the address ends, not the session: so it is not named.
            self._teller.claim(seen_ns, Evidence.RADIUS, mac, session.ipv4, released=True)
        self._state(statement, mac, addresses, seen_ns, released=statement.status == Status.STOP)
        if statement.status == Status.STOP:
            return
        session.ipv4 = statement.ipv4 if statement.ipv4 != NOWHERE else session.ipv4
        self._sessions[key] = session
        if len(self._sessions) > SESSION_LIMIT:
            self._sessions.popitem(last=False)

    def _state(
        self,
        statement: Statement,
        mac: int,
        addresses: tuple[Address, ...],
        seen_ns: int,
        released: bool = False,
    ) -> None:
        for address in addresses:
            self._teller.claim(
                seen_ns,
                Evidence.RADIUS,
                mac,
                address,
                ap_mac=statement.ap_mac,
                vlan=statement.vlan,
                released=released,
                octets=statement.octets,
                ssid=statement.ssid,
                user=statement.user,
                session=statement.session,
                class_=statement.class_,
            )
