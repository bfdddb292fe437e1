"""What agents' tables tell: indexes as the MIBs define them, and answers that cannot be meant."""

import re
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.feeds.snmp.objects import ASKED
from appliance.feeds.snmp.tables import Answers, device, tell
from appliance.feeds.told import Teller, Told
from appliance.model.addresses import ip_text, mac_number, mac_text
from appliance.model.networks import Networks
from appliance.model.reasons import Evidence, Note, Refusal
from appliance.model.texts import Texts

CLIENTS = Networks.of(["10.1.0.0/16", "2001:db8::/32"])
MAC = bytes.fromhex("0200000000aa")


def told(columns: dict[str, dict[tuple[int, ...], int | bytes]]) -> Told:
    teller = Teller(Texts())
    answers = Answers("10.9.0.2", columns)
    tell(answers, device(answers), CLIENTS, 7, teller)
    return teller.told()


def test_tables_that_were_not_read_to_their_end_are_counted() -> None:
    teller = Teller(Texts())
    answers = Answers(
        "10.9.0.2", {"ipNetToMediaPhysAddress": {(3, 10, 1, 0, 1): MAC}}, ("ifName", "dot1dTpFdbPort")
    )
    tell(answers, device(answers), CLIENTS, 7, teller)
    said = teller.told()
    assert said.noted == {Note.TABLE_CUT_OFF: 2}
    assert len(said.claims) == 1


def held(said: Told) -> set[tuple[str, str]]:
    return {(ip_text(int(row["ip_hi"]), int(row["ip_lo"])), mac_text(int(row["mac"]))) for row in said.claims}


def test_indexes_of_neighbours_are_read_as_rfc_4293_and_rfc_4001_write_them() -> None:
    """Kinds of address: ipv4(1), ipv6(2), ipv4z(3), ipv6z(4), the last two with a zone of four octets."""
    v6 = bytes.fromhex("20010db8000000000000000000000005")
    link_local = bytes.fromhex("fe800000000000000000000000000005")
    said = told(
        {
            "ipNetToMediaPhysAddress": {(3, 10, 1, 0, 1): MAC},
            "ipNetToPhysicalPhysAddress": {
                (3, 1, 4, 10, 1, 0, 1): MAC,
                (3, 1, 4, 10, 1, 0, 2): MAC,
                (3, 3, 8, 10, 1, 0, 3, 0, 0, 0, 3): MAC,
                (3, 2, 16, *v6): MAC,
                (3, 4, 20, *link_local, 0, 0, 0, 3): MAC,
            },
        }
    )
    mac = "02:00:00:00:00:aa"
    assert held(said) == {(ip, mac) for ip in ("10.1.0.1", "10.1.0.2", "10.1.0.3", "2001:db8::5")}
    assert set(said.claims["evidence"]) == {Evidence.SNMP}
    assert said.refused == {Refusal.NOTHING_TO_KEEP: 1}  # fe80::5 lies in no client network


def test_what_is_no_clients_is_left_out() -> None:
    """Strangers' addresses, group and zero MACs, MACs of a wrong length, the device's own."""
    said = told(
        {
            "ifType": {(1,): 6},
            "ifPhysAddress": {(1,): MAC},
            "ipNetToMediaPhysAddress": {
                (1, 10, 1, 0, 1): MAC,
                (1, 10, 1, 0, 2): bytes.fromhex("01005e000001"),
                (1, 10, 1, 0, 3): bytes(6),
                (1, 10, 1, 0, 4): b"\x02\x00",
                (1, 192, 0, 2, 1): bytes.fromhex("0200000000bb"),
            },
        }
    )
    assert not len(said.claims)
    assert said.refused == {Refusal.NOTHING_TO_KEEP: 5}


def test_a_station_is_claimed_at_a_radio_only() -> None:
    """17.1.4.1.2 maps bridge ports to interfaces; 17.7.1.2.2.1.2 is indexed by VLAN and MAC (RFC 4363)."""
    station, wired = mac_number("02:00:00:00:00:01"), mac_number("02:00:00:00:00:02")
    columns: dict[str, dict[tuple[int, ...], int | bytes]] = {
        "ifType": {(11,): 71, (12,): 6},
        "ifPhysAddress": {(11,): MAC, (12,): MAC},
        "ifName": {(11,): b"wlan0", (12,): b"lan1\x1b[31m\n"},
        "dot1dBasePortIfIndex": {(1,): 11, (2,): 12},
        "dot1dTpFdbPort": {tuple(wired.to_bytes(6, "big")): 2, tuple(MAC): 1},
        "dot1qTpFdbPort": {(7, *station.to_bytes(6, "big")): 1},
    }
    said = told(columns)
    assert [(int(row["mac"]), mac_text(int(row["ap_mac"]))) for row in said.claims] == [
        (station, "02:00:00:00:00:aa")
    ]
    interfaces = device(Answers("x", columns)).interfaces
    assert [(each.name, each.stations) for each in interfaces] == [("wlan0", 2), ("lan1 [31m", 1)]


INDEX = st.lists(st.integers(0, 1 << 32), max_size=22).map(tuple)
VALUE = st.one_of(st.integers(-(1 << 63), 1 << 64), st.binary(max_size=20))
NAMES = [managed.name for managed in ASKED]


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(NAMES), st.dictionaries(INDEX, VALUE, max_size=6)))
def test_no_answer_raises_or_invents(columns: dict[str, dict[tuple[int, ...], int | bytes]]) -> None:
    said = told(columns)
    macs = {value for column in columns.values() for value in column.values() if isinstance(value, bytes)}
    macs |= {
        bytes(index[-6:])
        for column in columns.values()
        for index in column
        if index and max(index[-6:]) < 256
    }
    assert {int(mac).to_bytes(6, "big") for mac in said.claims["mac"]} <= macs


def test_the_published_list_is_the_list() -> None:
    page = Path("appliance/feeds/README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(\w+)` \| `([0-9.]+)` \|", page, flags=re.MULTILINE))
    assert listed == {(managed.name, managed.text) for managed in ASKED}
