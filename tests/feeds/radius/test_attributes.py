"""Single attributes: writings of stations, addresses, users, classes, VLANs, and what cannot be meant."""

import pytest

from appliance.feeds.radius.attributes import Code
from appliance.model.addresses import ip_text, mac_number
from appliance.model.reasons import Note
from tests.feeds.radius.forged import START, STATION, Listener, Value, request

MAC = mac_number("00:10:a4:23:19:c0")
PREFIX_64 = bytes.fromhex("0040 20010db800000001")
LONG_CLASS = "sha256:1c03765a489455666d389fe8d345d3c22de1811b20f10d092af33734ced6fd7b"
"""`printf '78%.0s' $(seq 200) | sha256sum`"""

IDENTIFIER = bytes.fromhex("02005efffe000005")


@pytest.mark.parametrize(
    "writing",
    ["00-10-A4-23-19-C0", "00:10:a4:23:19:c0", "0010.a423.19c0", "0010a42319c0", "0010A4-2319C0",
     "0010-a423-19c0", "00.10.a4.23.19.c0", "00 10 A4 23 19 C0", "00-10-A4-23-19-C0\0", " 0010a4:2319c0 "],
)  # fmt: skip
def test_a_station_and_an_access_point_are_known_in_every_writing(writing: str) -> None:
    start = (Code.ACCT_STATUS_TYPE, START)
    assert Listener().hear(request(start, (Code.CALLING_STATION_ID, writing))).claims["mac"].tolist() == [MAC]
    listener = Listener()
    called = (Code.CALLED_STATION_ID, writing.strip("\0 ") + ":a:b-c ")
    told = listener.hear(request(start, (Code.CALLING_STATION_ID, STATION), called))
    assert told.claims["ap_mac"].tolist() == [MAC]
    assert listener.text(told.claims["ssid"][0]) == "a:b-c "
    assert told.spoken_by == {MAC}


@pytest.mark.parametrize(
    "writing",
    ["", "+33612345678", "10.1.2.3", "00-10-A4-23-19", "00-10-A4-23-19-C0-11-22", "01-00-5e-00-00-01",
     "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "00-10:A4-23-19-C0", "0010a42319c0ff", "hotspot1"],
)  # fmt: skip
def test_what_is_no_station_is_none(writing: str) -> None:
    pairs: tuple[tuple[int, Value], ...] = (
        (Code.ACCT_STATUS_TYPE, START),
        (Code.FRAMED_IP_ADDRESS, 0x0A000001),
    )
    told = Listener().hear(request(*pairs, (Code.CALLING_STATION_ID, writing)))
    assert told.claims["mac"].tolist() == [0]


def test_a_port_that_is_no_wifi_has_no_access_point() -> None:
    told = Listener().hear(
        request(
            (Code.ACCT_STATUS_TYPE, START),
            (Code.CALLING_STATION_ID, STATION),
            (Code.CALLED_STATION_ID, "00-10-A4-23-19-C0:x"),
            (Code.NAS_PORT_TYPE, 15),
        )
    )
    assert (told.claims["ap_mac"][0], told.claims["ssid"][0]) == (0, 0)


def vendor(number: int, code: int, value: bytes) -> tuple[int, bytes]:
    return Code.VENDOR_SPECIFIC, number.to_bytes(4, "big") + bytes((code, len(value) + 2)) + value


@pytest.mark.parametrize(
    ("called", "pair", "ap_mac", "ssid"),
    [
        ("ap-12:Gare", (Code.NAS_PORT_TYPE, 19), 0, "Gare"),
        ("ap-12", vendor(9, 1, b"ssid=Gare"), 0, "Gare"),
        ("ap-12", vendor(14823, 5, b"Gare"), 0, "Gare"),
        ("02-00-00-00-00-01", vendor(14823, 60, b"0010a42319c0"), MAC, ""),
        ("02-00-00-00-00-01", vendor(25053, 14, bytes.fromhex("0010a42319c0")), MAC, ""),
        ("00-10-A4-23-19-C0:Gare", vendor(25053, 3, b"other"), MAC, "Gare"),
        ("00-10-A4-23-19-C0:" + "x" * 33, (Code.NAS_PORT_TYPE, 19), MAC, ""),
        ("00-10-A4-23-19-C0:http://example.com", (Code.NAS_PORT_TYPE, 19), MAC, ""),
        ("00-10-A4-23-19-C0", (Code.VENDOR_SPECIFIC, b"\0\0\x39\xe7\x05\xffGare"), MAC, ""),
    ],
)
def test_where_a_vendor_says_network_and_access_point(
    called: str, pair: tuple[int, Value], ap_mac: int, ssid: str
) -> None:
    listener = Listener()
    told = listener.hear(
        request(
            (Code.ACCT_STATUS_TYPE, START),
            (Code.CALLING_STATION_ID, STATION),
            (Code.CALLED_STATION_ID, called),
            pair,
        )
    )
    assert told.claims["ap_mac"].tolist() == [ap_mac]
    assert listener.text(told.claims["ssid"][0]) == ssid


@pytest.mark.parametrize(
    ("pairs", "addresses", "noted"),
    [
        ([(Code.FRAMED_IPV6_PREFIX, PREFIX_64), (Code.FRAMED_INTERFACE_ID, IDENTIFIER)],
         ["2001:db8:0:1:200:5eff:fe00:5"], {}),
        ([(Code.FRAMED_IPV6_PREFIX, PREFIX_64)], ["::"], {Note.PREFIX_ONLY: 1}),
        ([(Code.DELEGATED_IPV6_PREFIX, PREFIX_64)], ["::"], {Note.PREFIX_ONLY: 1}),
        ([(Code.FRAMED_IPV6_PREFIX, b"\0\x80" + bytes.fromhex("20010db8000000000000000000000009"))],
         ["2001:db8::9"], {}),
        ([(Code.FRAMED_IPV6_PREFIX, b"\0\x81" + bytes(16))], ["::"], {Note.BAD_FIELD: 1}),
        ([(Code.FRAMED_IPV6_PREFIX, b"\0\x40\x20")], ["::"], {Note.BAD_FIELD: 1}),
        ([(Code.FRAMED_IPV6_PREFIX, b"")], ["::"], {Note.BAD_FIELD: 1}),
        ([(Code.FRAMED_IPV6_ADDRESS, bytes(16))], ["::"], {Note.BAD_FIELD: 1}),
        ([(Code.FRAMED_IPV6_ADDRESS, b"\xff" + bytes(15))], ["::"], {Note.BAD_FIELD: 1}),
        ([(Code.FRAMED_IP_ADDRESS, b"\x0a\0\0")], ["::"], {Note.BAD_FIELD: 1}),
        ([(Code.FRAMED_IP_ADDRESS, bytes((224, 0, 0, 1)))], ["::"], {Note.BAD_FIELD: 1}),
        ([(Code.FRAMED_IP_ADDRESS, bytes((127, 0, 0, 1)))], ["::"], {Note.BAD_FIELD: 1}),
        ([(Code.FRAMED_IP_ADDRESS, 0xFFFFFFFF)], ["::"], {}),
        ([(Code.FRAMED_IP_ADDRESS, 0)], ["::"], {}),
        ([(Code.FRAMED_IP_ADDRESS, 0x0A000001),
          (Code.FRAMED_IPV6_ADDRESS, bytes.fromhex("20010db8" + "0" * 22 + "09"))],
         ["10.0.0.1", "2001:db8::9"], {}),
    ],
)  # fmt: skip
def test_addresses(pairs: list[tuple[int, Value]], addresses: list[str], noted: dict[str, int]) -> None:
    told = Listener().hear(
        request((Code.ACCT_STATUS_TYPE, START), (Code.CALLING_STATION_ID, STATION), *pairs)
    )
    assert [ip_text(int(row["ip_hi"]), int(row["ip_lo"])) for row in told.claims] == addresses
    assert dict(told.noted) == noted


@pytest.mark.parametrize(
    ("pairs", "user", "class_"),
    [
        ([(Code.USER_NAME, "alice"), (Code.CHARGEABLE_USER_IDENTITY, b"\0")], "alice", ""),
        ([(Code.USER_NAME, "alice"), (Code.CHARGEABLE_USER_IDENTITY, "4711"), (Code.CLASS, b"\1\xff")],
         "alice", "01ff;cui=4711"),
        ([(Code.USER_NAME, "anonymous@example"), (Code.CHARGEABLE_USER_IDENTITY, "4711")], "4711", ""),
        ([(Code.USER_NAME, "@example"), (Code.CHARGEABLE_USER_IDENTITY, "4711")], "4711", ""),
        ([(Code.USER_NAME, "http://example.com/x")], "", ""),
        ([(Code.USER_NAME, b"a\xffb\ncd\0")], "a\\xffb\\ncd", ""),
        ([(Code.CLASS, b"x" * 200)], "", LONG_CLASS),
    ],
)  # fmt: skip
def test_users_and_classes(pairs: list[tuple[int, Value]], user: str, class_: str) -> None:
    listener = Listener()
    told = listener.hear(request((Code.ACCT_STATUS_TYPE, START), (Code.CALLING_STATION_ID, STATION), *pairs))
    assert listener.text(told.claims["user"][0]) == user
    assert listener.text(told.claims["class"][0]) == class_


@pytest.mark.parametrize(
    ("kind", "group", "vlan"),
    [(13, b"20", 20), (0x0100000D, b"\x01" + b"4094", 4094), (13, b"4095", -1), (3, b"20", -1),
     (13, b"guests", -1), (13, "²".encode("latin-1"), -1), (13, b"", -1)],
)  # fmt: skip
def test_the_vlan_of_a_session(kind: int, group: bytes, vlan: int) -> None:
    pairs: list[tuple[int, Value]] = [(Code.TUNNEL_TYPE, kind), (Code.TUNNEL_PRIVATE_GROUP_ID, group)]
    told = Listener().hear(
        request((Code.ACCT_STATUS_TYPE, START), (Code.CALLING_STATION_ID, STATION), *pairs)
    )
    assert told.claims["vlan"].tolist() == [vlan]
