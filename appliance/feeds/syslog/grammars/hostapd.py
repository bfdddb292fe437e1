"""hostapd: who joined and left an access point (hostapd 2.x, src/ap: `hostapd_logger`, AP-STA-CONNECTED).

The line names an interface, never its BSSID: the access point is the one that the source is declared to be.
"""

import re

from appliance.feeds.syslog.addresses import station
from appliance.feeds.syslog.grammar import Grammar, Line
from appliance.feeds.syslog.telling import is_last_place
from appliance.feeds.told import Teller
from appliance.model.reasons import Evidence, Refusal

_EVENT = re.compile(
    r"(?:([\w.:-]{1,32}): )?(?:<\d>)?(?:STA ([0-9a-f:]{17}) (?:IEEE 802\.11|IEEE 802\.1X|WPA|RADIUS): (.*)"
    r"|AP-STA-(CONNECTED|DISCONNECTED) ([0-9a-f:]{17})(?![0-9a-f:]))",
    re.ASCII | re.DOTALL,
)
_JOINED = (
    "associated", "reassociated", "pairwise key handshake completed", "group key handshake completed",
    "starting accounting session ",
)  # fmt: skip
_LEFT = ("disassociated", "deauthenticated", "stopped accounting session ")
_SESSION = re.compile(r"(?:starting|stopped) accounting session ([0-9A-Fa-f-]{8,64})(?=\s|$)", re.ASCII)
_IDENTITY = re.compile(r"STA identity '([^'/\s\0]{1,253})'")
"""Of a person: `host/NAME` is a device's."""


def read(line: Line, teller: Teller) -> bool:
    """An association, its end, the user or the accounting session; other events of a station tell nothing."""
    found = _EVENT.match(line.text)
    if found is None:
        if line.program != "hostapd":
            return False
        teller.refused[Refusal.NOTHING_TO_KEEP] += 1
        return True
    radio, mac, said, event, event_mac = found.groups()
    radio = radio or line.program
    number = station(mac or event_mac)
    said = said or ""
    is_over = event == "DISCONNECTED" or said.startswith(_LEFT)
    identity = _IDENTITY.match(said)
    is_here = event == "CONNECTED" or said.startswith(_JOINED) or identity is not None
    is_told = number != 0 and (is_here or is_over)
    # One that moves to another radio of the same access point is thrown off the first minutes later.
    if not is_told or not is_last_place(line, number, radio, is_over, line.host):
        teller.refused[Refusal.NOTHING_TO_KEEP] += 1
        return True
    session = _SESSION.match(said)
    if line.ap_mac:
        teller.spoken_by.add(line.ap_mac)
    teller.claim(
        line.seen_ns,
        Evidence.ASSOCIATION,
        number,
        ap_mac=line.ap_mac,
        released=is_over,
        session=session[1] if session else "",
        user=identity[1] if identity else "",
    )
    return True


GRAMMAR = Grammar("hostapd", read, frozenset(("hostapd",)), ("AP-STA-", "IEEE 802.1", " WPA: ", " RADIUS: "))
