"""One timeline: a morning that is told, as feeds tell it, and what is then answered about it.

At ten a phone joins the access point in the hall, is known to RADIUS as alice, gets 10.0.0.7, roams to the
roof and logs off at 10:20 without giving the address back. At 10:30 the server leases it to a tablet, at
10:40 a third device claims it over ARP. The gateway gives one outside port to the phone, and later to the
tablet. Every expectation below is read off this story.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from appliance.identity.bindings import Bindings
from appliance.identity.translations import Translations
from appliance.model.addresses import ip_halves, ip_text, mac_text
from appliance.model.instants import MINUTE_NS, NS
from appliance.model.reasons import Evidence
from appliance.model.rows import BINDING, FED_TRAFFIC
from appliance.model.texts import Texts
from appliance.vault.names import VaultName
from appliance.vault.run import Run
from appliance.vault.unseal.holders import JOINED_SCHEMA
from appliance.vault.unseal.holdings import Holdings
from appliance.vault.unseal.question import Question
from appliance.vault.unseal.search import Search
from tests.identity.stated import TEN, claim, translation
from tests.vault.made_homes import Box, make_box

PHONE, TABLET, THIEF = 0x02AA00000001, 0x00AA00000002, 0x02AA00000003
HALL, ROOF = 0x00B000000001, 0x00B000000002
WEB, MAIL = "198.51.100.1", "198.51.100.2"
SHARED, V6 = "10.0.0.7", "2001:db8:1::7"
FEEDS = ["feed:gateway", "feed:hall"]
A_MINUTE = 60


def at(minute: float) -> int:
    return TEN + round(minute * MINUTE_NS)


def told(texts: Texts) -> list[NDArray[np.void]]:
    """The claims of the morning, minute by minute."""
    number = texts.number
    hall = {"ap_mac": HALL, "ssid": number("Museum")}
    roof = {"ap_mac": ROOF, "ssid": number("Museum 5G")}
    alice = {"user": number("alice@museum"), "session": number("S-1"), "class": number("guests")}
    totals = {"bytes_out": 300, "bytes_in": 3000}
    m = A_MINUTE
    return [
        claim(0, Evidence.ASSOCIATION, PHONE, **hall),
        claim(1, Evidence.RADIUS, PHONE, **hall, **alice),
        claim(2, Evidence.DHCP, PHONE, SHARED, lease_s=3600),
        claim(3, Evidence.ARP, PHONE, SHARED),
        claim(5 * m, Evidence.RADIUS, PHONE, SHARED, **hall, **alice, bytes_out=100, bytes_in=1000),
        claim(6 * m, Evidence.ARP, PHONE, SHARED),
        claim(10 * m, Evidence.ASSOCIATION, PHONE, **roof),
        claim(10 * m + 1, Evidence.RADIUS, PHONE, SHARED, **roof, **alice, bytes_out=200, bytes_in=2000),
        claim(15 * m, Evidence.ASSOCIATION, PHONE, ap_mac=HALL, released=1),
        claim(20 * m, Evidence.RADIUS, PHONE, SHARED, **roof, **alice, **totals, released=1),
        claim(20 * m + 1, Evidence.ASSOCIATION, PHONE, **roof, released=1),
        claim(30 * m, Evidence.ASSOCIATION, TABLET, **hall),
        claim(30 * m + 2, Evidence.DHCP, TABLET, SHARED, lease_s=3600),
        claim(40 * m, Evidence.ARP, THIEF, SHARED),
        claim(41 * m, Evidence.ARP, THIEF, SHARED),
    ]  # fmt: skip


def translated() -> list[NDArray[np.void]]:
    m = A_MINUTE
    return [
        translation(1 * m, SHARED, 50000, 40001, WEB),
        translation(12 * m, SHARED, 50000, 40001, WEB, released=1),
        translation(31 * m, SHARED, 51000, 40001, WEB),
        translation(33 * m, SHARED, 51000, 40001, WEB, released=1),
        translation(0, "10.0.0.9", 0, 1024, last=2047, protocol=0),
    ]


def flow(minute: float, ip: str, port: int, peer: str, mac: int = 0, **said: int) -> NDArray[np.void]:
    row = np.zeros(1, FED_TRAFFIC)
    row["first_seen"], row["last_seen"] = at(minute), at(minute) + 5 * NS
    row["client_ip_hi"], row["client_ip_lo"] = ip_halves(ip)
    row["peer_ip_hi"], row["peer_ip_lo"] = ip_halves(peer)
    row["client_port"], row["peer_port"], row["protocol"], row["vlan"] = port, 443, 6, -1
    row["client_mac"], row["end_reason"], row["packets_out"] = mac, 3, 1
    row["received"] = at(minute) + 6 * NS
    for name, value in said.items():
        row[name] = value
    return row


FLOWS = [
    flow(1, SHARED, 50000, WEB),
    flow(6, SHARED, 50001, MAIL),
    flow(7, V6, 50002, MAIL, mac=PHONE),
    flow(11, SHARED, 50003, MAIL),
    flow(25, SHARED, 50004, MAIL),
    flow(31, SHARED, 51000, WEB),
    flow(40.5, SHARED, 51001, MAIL, by_receipt=True),
    flow(45, "10.0.0.9", 1500, MAIL),
    flow(46, "10.0.0.9", 1501, MAIL, nat_ip_lo=ip_halves("203.0.113.5")[1], nat_port=77),
]


@pytest.fixture(scope="module", params=["journal", "segment"])
def box(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Box:
    """A home that holds the morning: as a crash left it in the journal, or sealed."""
    made = make_box(tmp_path_factory.mktemp("box"))
    texts = Texts()
    bindings, translations = Bindings(by_source=True), Translations()
    claims = told(texts)
    rows = [np.zeros(0, BINDING)]
    rows += [bindings.observe(np.concatenate(claims[at : at + 4]), 1) for at in range(0, len(claims), 4)]
    rows.append(translations.observe(np.concatenate(translated()), 0))
    with Run.start(made.home, made.clock) as run:
        traffic, source = made.writer(run), made.writer(run, VaultName.SOURCE)
        flows = np.concatenate(FLOWS)
        if request.param == "journal":
            rows += [bindings.changed(), translations.changed()]
            for part in rows:
                source.journal(part, FEEDS, texts.all())
            traffic.journal(flows, FEEDS, texts.all())
        else:
            rows += [bindings.close(), translations.close()]
            source.seal(np.concatenate(rows), FEEDS, (), texts.all())
            traffic.seal(flows, FEEDS, (), texts.all())
        traffic.close()
        source.close()
    return made


def answers(box: Box, **asked: object) -> list[dict[str, object]]:
    question = Question(**asked)  # type: ignore[arg-type]
    found = Search(box.home, box.opener(), question).connections()
    return plain(pa.concat_tables([JOINED_SCHEMA.empty_table(), *found]))


def plain(table: pa.Table) -> list[dict[str, object]]:
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        shown: Callable[[bytes], str] | None = None
        if column.type == pa.binary(16):
            shown = lambda raw: ip_text(int.from_bytes(raw[:8], "big"), int.from_bytes(raw[8:], "big"))  # noqa: E731
        elif column.type == pa.binary(6):
            shown = lambda raw: mac_text(int.from_bytes(raw, "big"))  # noqa: E731
        elif pa.types.is_timestamp(column.type):
            column = column.cast(pa.int64())
        values = column.to_pylist()
        columns[name] = [shown(value) if shown and value is not None else value for value in values]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def picked(rows: list[dict[str, object]], *names: str) -> list[tuple[object, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def test_who_it_was_and_where(box: Box) -> None:
    names = ("client_port", "client_mac", "mac_evidence", "evidence", "user", "session", "ap_mac", "ssid")
    phone, tablet, hall, roof = map(mac_text, (PHONE, TABLET, HALL, ROOF))
    alice = ("alice@museum", "S-1")
    assert picked(answers(box), *names) == [
        (50000, phone, "dhcp", "dhcp", *alice, hall, "Museum"),
        (50001, phone, "radius", "radius", *alice, hall, "Museum"),
        (50002, phone, None, None, *alice, hall, "Museum"),
        (50003, phone, "radius", "radius", *alice, roof, "Museum 5G"),
        (50004, phone, "dhcp", "dhcp", None, None, None, None),
        (51000, tablet, "dhcp", "dhcp", None, None, hall, "Museum"),
        (51001, tablet, "dhcp", "dhcp", None, None, hall, "Museum"),
        (1500, None, None, None, None, None, None, None),
        (1501, None, None, None, None, None, None, None),
    ]


def test_both_who_claimed_the_address_are_named(box: Box) -> None:
    others = {row["client_port"]: row["other_macs"] for row in answers(box)}
    assert {port: macs for port, macs in others.items() if macs} == {51001: mac_text(THIEF)}


def test_the_address_and_port_after_nat(box: Box) -> None:
    found = picked(answers(box), "client_port", "nat_ip", "nat_port", "nat_port_last")
    assert [row for row in found if row[1]] == [
        (50000, "192.0.2.1", 40001, None),
        (51000, "192.0.2.1", 40001, None),
        (1500, "192.0.2.1", 1024, 2047),
        (1501, "203.0.113.5", 77, None),
    ]


def test_when_the_box_heard_of_it(box: Box) -> None:
    for row in answers(box):
        assert row["received"] == int(str(row["first_seen"])) + 6 * NS
        assert row["by_receipt"] == (row["client_port"] == 51001)


@pytest.mark.parametrize(
    ("mac", "ports"), [(PHONE, [50000, 50001, 50002, 50003, 50004]), (TABLET, [51000, 51001]), (THIEF, [])]
)
def test_what_a_device_did_though_no_flow_names_it(box: Box, mac: int, ports: list[int]) -> None:
    assert [row["client_port"] for row in answers(box, client_mac=mac.to_bytes(6, "big"))] == ports


def test_who_was_behind_a_public_port(box: Box) -> None:
    public = ip_bytes("192.0.2.1")
    asked = {"nat_ip": public, "nat_port": 40001}
    assert [row["client_port"] for row in answers(box, **asked)] == [50000, 51000]
    assert [row["client_port"] for row in answers(box, **asked, from_ns=at(30))] == [51000]
    assert [row["client_port"] for row in answers(box, nat_ip=public, nat_port=2000)] == [1500]
    assert answers(box, nat_ip=public, nat_port=2048) == []
    assert [row["client_port"] for row in answers(box, nat_port=77)] == [1501]


def ip_bytes(text: str) -> bytes:
    hi, lo = ip_halves(text)
    return (hi << 64 | lo).to_bytes(16, "big")


def held(box: Box, minute: float, **asked: object) -> list[dict[str, object]]:
    return plain(Holdings(box.home, box.opener(), Question(**asked)).at(at(minute)))  # type: ignore[arg-type]


def test_who_held_an_address_best_evidence_first(box: Box) -> None:
    shared = ip_bytes(SHARED)
    phone, tablet, thief = map(mac_text, (PHONE, TABLET, THIEF))
    names = ("evidence", "mac", "user", "randomised")
    assert picked(held(box, 5.5, client_ip=shared), *names) == [
        ("radius", phone, "alice@museum", True),
        ("dhcp", phone, None, True),
        ("arp", phone, None, True),
        ("nat", phone, "alice@museum", True),
    ]
    assert picked(held(box, 25, client_ip=shared), *names) == [("dhcp", phone, None, True)]
    assert picked(held(box, 40.5, client_ip=shared), *names) == [
        ("dhcp", tablet, None, False),
        ("arp", thief, None, True),
    ]


def test_where_a_device_was_in_a_period(box: Box) -> None:
    holdings = Holdings(box.home, box.opener(), Question(client_mac=PHONE.to_bytes(6, "big")))
    rows = plain(holdings.during(at(0), at(60)))
    minutes = [
        (row["evidence"], row["ip"], row["ap_mac"], *(
            round((int(str(row[name])) - TEN) / MINUTE_NS) for name in ("from", "until")
        ))
        for row in rows
    ]  # fmt: skip
    hall, roof = mac_text(HALL), mac_text(ROOF)
    assert minutes == [
        ("radius", None, hall, 0, 10),
        ("radius", SHARED, hall, 5, 10),
        ("radius", None, roof, 10, 20),
        ("radius", SHARED, roof, 10, 20),
        ("dhcp", SHARED, None, 0, 30),
        ("association", None, hall, 0, 10),
        ("association", None, roof, 10, 20),
        ("association", None, hall, 15, 15),  # what the hall said late is shown as it was said
        ("arp", SHARED, None, 0, 6),
    ]
    last = next(row for row in rows if (row["evidence"], row["ap_mac"]) == ("radius", roof))
    assert picked([last], "session", "class", "bytes_out", "bytes_in") == [("S-1", "guests", 300, 3000)]


def test_who_held_the_inside_address_of_a_public_port(box: Box) -> None:
    asked = {"nat_ip": ip_bytes("192.0.2.1"), "nat_port": 40001}
    names = ("evidence", "mac", "mac_evidence", "user", "ip", "port", "peer_ip", "ssid")
    assert picked(held(box, 8, **asked), *names) == [
        ("nat", mac_text(PHONE), "radius", "alice@museum", SHARED, 50000, WEB, "Museum"),
    ]
    assert picked(held(box, 32, **asked), *names) == [
        ("nat", mac_text(TABLET), "dhcp", None, SHARED, 51000, WEB, "Museum"),
    ]
    assert held(box, 20, **asked) == []
    block = held(box, 20, nat_ip=asked["nat_ip"], nat_port=1100)
    assert picked(block, *names[:5]) == [("nat", None, None, None, "10.0.0.9")]


def test_no_name_lies_readable_on_disk(box: Box, tmp_path: Path) -> None:
    content = b"".join(path.read_bytes() for path in box.home.path.rglob("*") if path.is_file())
    for name in (b"alice@museum", b"Museum 5G", b'S-1"', b"guests"):
        assert name not in content
