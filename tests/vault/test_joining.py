"""Traffic joined to holders and translations: what a plain loop over all of both gives."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from appliance.model.addresses import mac_text
from appliance.model.instants import HOUR_NS, NS
from appliance.model.reasons import EVIDENCE_NAMES, Evidence
from appliance.model.rows import BINDING, FED_TRAFFIC
from appliance.vault.columns import to_table
from appliance.vault.unseal.holders import Holders

BEGIN = 500_000 * HOUR_NS
TEXTS = ["", "one", "two", "three"]
EVIDENCE = [Evidence.RADIUS, Evidence.ASSOCIATION, Evidence.DHCP, Evidence.ARP, Evidence.FLOW]

HELD = st.tuples(
    st.integers(0, 30),  # from
    st.integers(0, 20),  # how long
    st.integers(0, 2),  # address, 0 none
    st.integers(0, 2),  # MAC, 0 none
    st.sampled_from(EVIDENCE),
    st.integers(0, 2),  # access point
    st.integers(0, 3),  # user
)
ROW = st.tuples(st.integers(0, 50), st.integers(1, 2), st.integers(0, 2))  # instant, address, MAC


def bindings(held: list[tuple[int, ...]]) -> pa.Table:
    rows = np.zeros(len(held), BINDING)
    for row, (begin, lasted, ip, mac, evidence, ap, user) in zip(rows, held, strict=True):
        row["from"], row["until"] = BEGIN + begin * NS, BEGIN + (begin + lasted) * NS
        row["ip_lo"], row["mac"], row["evidence"], row["ap_mac"] = ip, mac, evidence, ap
        row["user"], row["ssid"], row["vlan"], row["end_reason"] = user, user, -1, 1
    return to_table(rows, ["a"], TEXTS)


def traffic(asked: list[tuple[int, ...]]) -> NDArray[np.void]:
    rows = np.zeros(len(asked), FED_TRAFFIC)
    for row, (at, ip, mac) in zip(rows, asked, strict=True):
        row["first_seen"] = row["last_seen"] = BEGIN + at * NS
        row["client_ip_lo"], row["client_mac"], row["vlan"] = ip, mac, -1
        row["client_port"], row["peer_port"], row["protocol"], row["peer_ip_lo"] = 5, 6, 17, 9
    return rows


def unique_in_rank_and_time(held: list[tuple[int, ...]]) -> bool:
    """So that "the best" and "the latest" are one."""
    return len({(each[4], each[0]) for each in held}) == len(held)


@settings(max_examples=150, deadline=None)
@given(
    held=st.lists(HELD, max_size=12).filter(unique_in_rank_and_time),
    asked=st.lists(ROW, min_size=1, max_size=6),
)
def test_holders_are_those_that_a_loop_finds(
    held: list[tuple[int, ...]], asked: list[tuple[int, ...]]
) -> None:
    held = [each for each in held if each[2] or each[3]]
    joined = Holders(bindings(held)).join(to_table(traffic(asked), ["a"]))
    names = ("client_mac", "mac_evidence", "evidence", "user", "ap_mac", "ssid", "other_macs")
    found = list(zip(*(joined[name].to_pylist() for name in names), strict=True))
    assert found == [expected(held, *row) for row in asked]


def expected(held: list[tuple[int, ...]], at: int, ip: int, mac: int) -> tuple[object, ...]:
    def rank(each: tuple[int, ...]) -> tuple[int, int]:
        return each[4], each[0]

    now = [each for each in held if each[0] <= at <= each[0] + each[1]]
    of_ip = [each for each in now if each[2] == ip]
    mac_evidence = None
    if not mac and any(each[3] for each in of_ip):
        best = max((each for each in of_ip if each[3]), key=rank)
        mac, mac_evidence = best[3], EVIDENCE_NAMES[Evidence(best[4])]
    own = [each for each in of_ip if each[3] in (0, mac)]
    about = own + [each for each in now if not each[2] and mac and each[3] == mac]
    named = [each for each in about if each[6]]
    placed = [each for each in about if each[5]]
    others = sorted({each[3] for each in of_ip} - {0, mac})
    latest = max(placed, key=lambda each: (each[0], each[4]), default=None)
    said = max(named, key=lambda each: (each[0], each[4]), default=None)
    return (
        mac.to_bytes(6, "big") if mac else None,
        mac_evidence,
        EVIDENCE_NAMES[Evidence(max(own, key=rank)[4])] if own else None,
        TEXTS[max(named, key=rank)[6]] if named else None,
        latest[5].to_bytes(6, "big") if latest else None,
        TEXTS[said[6]] if said else None,
        " ".join(map(mac_text, others)) or None,
    )


TOLD = st.tuples(
    st.integers(0, 20),  # from
    st.integers(0, 9),  # how long
    st.integers(1, 2),  # address
    st.sampled_from([0, 5, 7]),  # port
    st.sampled_from([0, 17, 6]),  # protocol
    st.sampled_from([0, 9, 8]),  # peer
    st.sampled_from([0, 6]),  # its port
)


@settings(max_examples=150, deadline=None)
@given(told=st.lists(TOLD, max_size=10, unique_by=lambda each: each[0]), asked=st.lists(ROW, max_size=5))
def test_translations_are_those_that_a_loop_finds(
    told: list[tuple[int, ...]], asked: list[tuple[int, ...]]
) -> None:
    rows = np.zeros(len(told), BINDING)
    for number, (row, (begin, lasted, ip, port, protocol, peer, peer_port)) in enumerate(
        zip(rows, told, strict=True)
    ):
        row["from"], row["until"] = BEGIN + begin * NS, BEGIN + (begin + lasted) * NS
        row["ip_lo"], row["port"], row["protocol"] = ip, port, protocol
        row["peer_ip_lo"], row["peer_port"], row["evidence"] = peer, peer_port, Evidence.NAT
        row["nat_ip_lo"], row["nat_port"], row["nat_port_last"] = 77, 1000 + number, 1000 + number
    joined = Holders(to_table(rows, ["a"])).join(to_table(traffic(asked), ["a"]))
    assert joined["nat_port"].to_pylist() == [outside(told, at, ip) for at, ip, _ in asked]


def outside(told: list[tuple[int, ...]], at: int, ip: int) -> int | None:
    """The port of the translation that names most, is nearest within two seconds, and began last."""
    fits = []
    for number, (begin, lasted, inside, *named) in enumerate(told):
        away = max(begin - at, at - begin - lasted, 0)
        same = all(said in (0, own) for said, own in zip(named, (5, 17, 9, 6), strict=True))
        if inside == ip and same and away <= 2:
            fits.append((sum(said != 0 for said in named), -away, begin, 1000 + number))
    return max(fits)[3] if fits else None


def test_what_a_record_says_itself_stays() -> None:
    rows = traffic([(5, 1, 2)] * 2)
    rows["nat_ip_lo"][0], rows["nat_port"][0] = 78, 4
    told = np.zeros(1, BINDING)
    told["from"], told["until"], told["ip_lo"], told["evidence"] = BEGIN, BEGIN + HOUR_NS - 1, 1, Evidence.NAT
    told["nat_ip_lo"], told["nat_port"], told["nat_port_last"] = 77, 1000, 1999
    joined = Holders(to_table(told, ["a"])).join(to_table(rows, ["a"]))
    assert [value[-1] for value in joined["nat_ip"].to_pylist()] == [78, 77]
    assert joined["nat_port"].to_pylist() == [4, 1000]
    assert joined["nat_port_last"].to_pylist() == [None, 1999]
