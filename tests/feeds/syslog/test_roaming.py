"""A station that roams is thrown off its former place later: that is not told as its end."""

import pytest

from appliance.model.instants import from_iso
from tests.feeds.syslog.reading import claims, tell

RECEIVED_NS = from_iso("2026-06-30T18:05:00Z")
MAC = "00:00:5e:00:53:11"
UNIFI = "<30>Jun 30 18:00:0{} AP 1c0b8bc42f58,U7-Lite-8.6.11+18870: wevent: wevent.ubnt_custom_event(): "
TRACKER = "stahtd[1]: [STA-TRACKER].stahtd_dump_event(): "
FORTI = 'date=2026-06-30 time=18:00:0{} logid=0104043573 type=event subtype=wireless ssid="g" stamac=' + MAC
MERAKI = "<134>1 1782842400.{}00000000 {} events type={} radio='{}' vap='0' client_mac='" + MAC + "' aid='1'"

MOVES = {
    "unifi, to the other radio": (
        UNIFI.format(1) + f"EVENT_STA_JOIN ath0: {MAC} / 1",
        UNIFI.format(2) + f"EVENT_STA_JOIN ath3: {MAC} / 1",
        UNIFI.format(3) + f"EVENT_STA_LEAVE ath0: {MAC} / 1",
        UNIFI.format(4) + f"EVENT_STA_LEAVE ath3: {MAC} / 1",
    ),
    "mikrotik, to another interface of its controller": (
        f"caps,info {MAC}@cap1 connected, signal strength -60",
        f"caps,info {MAC}@cap2 connected, signal strength -50",
        f"caps,info {MAC}@cap1 disconnected, received deauth",
        f"caps,info {MAC}@cap2 disconnected, received deauth",
    ),
    "meraki, to another access point": (
        MERAKI.format(1, "AP1", "association", 1),
        MERAKI.format(2, "AP2", "association", 1),
        MERAKI.format(3, "AP1", "disassociation", 1),
        MERAKI.format(4, "AP2", "disassociation", 1),
    ),
    "fortigate, to another access point": (
        FORTI.format(1) + ' ap="FP1" radioid=1 vap="w" action="client-authentication" x=1',
        FORTI.format(2) + ' ap="FP2" radioid=1 vap="w" action="client-authentication" x=1',
        FORTI.format(3) + ' ap="FP1" radioid=1 vap="w" action="client-disassociation" x=1',
        FORTI.format(4) + ' ap="FP2" radioid=1 vap="w" action="client-disassociation" x=1',
    ),
}


@pytest.mark.parametrize("lines", MOVES.values(), ids=MOVES.keys())
def test_the_end_of_a_former_place_is_not_the_stations_end(lines: tuple[str, ...]) -> None:
    told = tell(lines, RECEIVED_NS, time_zone="UTC")
    assert [(mac, released) for _, mac, _, released in claims(told)] == [
        (MAC, False),
        (MAC, False),
        (MAC, True),
    ]
    assert dict(told.refused) == {"nothing_to_keep": 1}


@pytest.mark.parametrize("lines", MOVES.values(), ids=MOVES.keys())
def test_an_end_whose_beginning_was_not_heard_is_told(lines: tuple[str, ...]) -> None:
    told = tell(lines[2:3], RECEIVED_NS, time_zone="UTC")
    assert [(mac, released) for _, mac, _, released in claims(told)] == [(MAC, True)]
