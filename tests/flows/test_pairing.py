"""Pairing, case by case, against a plain model, and read as custodians read what it wrote."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from appliance.flows.couples import WAIT_NS
from appliance.flows.pairing import Pairing
from appliance.model.addresses import ip_halves, ip_text
from appliance.model.instants import MS, NS
from appliance.model.networks import Networks
from appliance.model.rows import STATED
from tests.flows.stated import START, Flow, Rows, Told, read, read_plainly, stated, told

SITE = ("192.168.0.0/16", "fd00::/8")
CLIENT, PEER = ("192.168.1.5", 40000), ("9.9.9.9", 443)
PHONE, ROUTER, OTHER_PHONE = 0x020000000005, 0x001100000001, 0x020000000006

REQUEST = Flow(*CLIENT, *PEER, 0, 5 * NS, 10, 1000)
ANSWER = Flow(*PEER, *CLIENT, 20 * MS, 5 * NS + 1, 12, 9000)
BOTH = Told(*CLIENT, *PEER, 0, 5 * NS + 1, (10, 1000), (12, 9000))


def pairing(limit: int = 1000, networks: tuple[str, ...] = SITE) -> Pairing:
    return Pairing(Networks.of(networks), limit)


def add(pairs: Pairing, *flows: Flow, source: int = 0) -> Rows:
    rows = stated(list(flows))
    return pairs.add(rows, source, int(rows["received"].max()))


def test_both_uniflows_are_one_row_whichever_comes_first() -> None:
    for flows in ((REQUEST, ANSWER), (ANSWER, REQUEST)):
        assert told(add(pairing(), *flows)) == [BOTH]
        one_by_one = pairing()
        assert not len(add(one_by_one, flows[0]))
        assert told(add(one_by_one, flows[1])) == [BOTH]
        assert len(one_by_one) == 0


def test_a_biflow_is_a_row_at_once_and_its_source_the_initiator() -> None:
    biflow = replace(REQUEST, last=5 * NS + 1, back=(12, 9000))
    assert told(add(pairing(), biflow)) == [BOTH]
    # Between two clients, and where no network is the site's: who began is the client.
    assert told(add(pairing(networks=("0.0.0.0/0",)), biflow)) == [BOTH]
    called = Flow(*PEER, *CLIENT, 0, 5 * NS + 1, 12, 9000, back=(10, 1000))
    assert told(add(pairing(networks=("10.0.0.0/8",)), called))[0].client == PEER[0]
    # Called from outside, the site's own is still the client.
    assert told(add(pairing(), called)) == [BOTH]


@pytest.mark.parametrize("networks", [("10.0.0.0/8",), ("0.0.0.0/0",)])
def test_of_two_uniflows_the_earlier_one_tells_who_began(networks: tuple[str, ...]) -> None:
    for flows in ((REQUEST, ANSWER), (ANSWER, REQUEST)):
        assert told(add(pairing(networks=networks), *flows)) == [BOTH]
    called = [replace(REQUEST, first=40 * MS), ANSWER]
    assert told(add(pairing(networks=networks), *called))[0].client == PEER[0]
    # At the same instant, or alone, the lower port serves.
    same = [replace(REQUEST, first=20 * MS), ANSWER]
    assert told(add(pairing(networks=networks), *same))[0].client == CLIENT[0]
    alone = pairing(networks=networks)
    add(alone, ANSWER)
    assert told(alone.finish())[0].client == CLIENT[0]


def test_later_parts_keep_the_side_that_began() -> None:
    pairs = pairing(networks=("10.0.0.0/8",))
    later = [
        replace(flow, first=flow.first + 60 * NS, last=flow.last + 60 * NS) for flow in (REQUEST, ANSWER)
    ]
    swapped = [later[0], replace(later[1], first=later[0].first - MS)]
    rows = np.concatenate([add(pairs, REQUEST, ANSWER), add(pairs, *swapped)])
    assert [row.client for row in told(rows)] == [CLIENT[0]] * 2
    assert len(read(rows)) == 1


def test_a_half_is_told_at_once_and_its_row_replaces_it() -> None:
    pairs = pairing()
    add(pairs, REQUEST)
    opened = pairs.changed()
    assert told(opened) == [replace(BOTH, last=5 * NS, into=(0, 0))]
    assert opened["end_reason"].tolist() == [0]
    assert not len(pairs.changed())
    pairs.forget_reported()
    assert len(pairs.changed()) == 1
    rows = add(pairs, ANSWER)
    assert told(rows) == [BOTH]
    assert read_plainly(np.concatenate([opened, rows])) == [BOTH]


def test_a_half_told_that_turns_out_later_or_nameless_is_still_one_connection() -> None:
    named = replace(REQUEST, source_mac=PHONE)
    for first, second in ((ANSWER, REQUEST), (ANSWER, named), (replace(ANSWER, end_reason=3), named)):
        pairs = pairing()
        add(pairs, first)
        rows = np.concatenate([pairs.changed(), add(pairs, second)])
        assert read_plainly(rows) == [BOTH]
        assert len(pairs) == 0
    assert read(rows)["client_mac"].to_pylist() == [PHONE.to_bytes(6)]


def test_what_the_client_sent_was_told_without_its_mac() -> None:
    pairs = pairing()
    add(pairs, REQUEST)
    rows = np.concatenate([pairs.changed(), add(pairs, replace(ANSWER, destination_mac=PHONE))])
    assert read_plainly(rows) == [BOTH]
    assert read(rows)["client_mac"].to_pylist() == [None]


def test_macs_vlan_ap_and_times_of_both_halves() -> None:
    request = replace(REQUEST, source_mac=PHONE, vlan=7, received=20 * NS, by_receipt=True)
    answer = replace(ANSWER, source_mac=ROUTER, ap_mac=ROUTER + 1, received=21 * NS, end_reason=3)
    for flows in ((request, answer), (answer, request)):
        (row,) = add(pairing(), *flows)
        assert (row["client_mac"], row["peer_mac"], row["ap_mac"]) == (PHONE, ROUTER, ROUTER + 1)
        assert (row["vlan"], row["end_reason"], row["by_receipt"]) == (7, 3, True)
        assert row["received"] == START + 21 * NS


def test_two_devices_of_one_address_stay_two() -> None:
    pairs = pairing()
    mine, others = replace(REQUEST, source_mac=PHONE), replace(ANSWER, destination_mac=OTHER_PHONE)
    rows = np.concatenate([add(pairs, mine), add(pairs, others), pairs.finish()])
    assert sorted(rows["client_mac"].tolist()) == [PHONE, OTHER_PHONE]


def test_a_group_is_no_client() -> None:
    (row,) = add(pairing(), replace(REQUEST, source_mac=0x01005E000001, back=(0, 0)))
    assert row["client_mac"] == 0


def _nat(row: np.void) -> tuple[str, int]:
    return ip_text(int(row["nat_ip_hi"]), int(row["nat_ip_lo"])), int(row["nat_port"])


PUBLIC = ("5.5.5.5", 61000)


@pytest.mark.parametrize(
    "flow",
    [
        replace(REQUEST, nat_source=PUBLIC),
        replace(REQUEST, nat_source=PUBLIC, nat_destination=PEER),
        replace(ANSWER, nat_destination=PUBLIC),
        replace(ANSWER, destination=PUBLIC[0], destination_port=PUBLIC[1], nat_destination=CLIENT),
    ],
)
def test_the_clients_address_outside(flow: Flow) -> None:
    for pairs, flows in (
        (pairing(), [flow]),
        (pairing(), [flow, REQUEST if flow.source == PEER[0] else ANSWER]),
    ):
        rows = np.concatenate([add(pairs, *flows), pairs.finish()])
        (row,) = rows
        assert (told(rows)[0].client, told(rows)[0].client_port) == CLIENT
        assert _nat(row) == PUBLIC


def test_what_is_translated_to_itself_is_not_translated() -> None:
    (row,) = add(pairing(), replace(REQUEST, nat_source=CLIENT, back=(1, 1)))
    assert _nat(row) == ("::", 0)


def test_icmp_has_no_ports() -> None:
    echo = Flow(CLIENT[0], 0, PEER[0], 2048, 0, 5 * NS, 3, 252, protocol=1)
    reply = Flow(PEER[0], 0, CLIENT[0], 0, 20 * MS, 5 * NS, 3, 252, protocol=1)
    assert told(add(pairing(), echo, reply)) == [
        Told(CLIENT[0], -1, PEER[0], -1, 0, 5 * NS, (3, 252), (3, 252))
    ]


def test_sources_are_apart() -> None:
    pairs = pairing()
    add(pairs, REQUEST, source=1)
    assert not len(add(pairs, ANSWER, source=2))
    assert pairs.finish()["source"].tolist() == [1, 2]


def test_what_is_stated_again_counts_once() -> None:
    pairs = pairing()
    rows = [
        add(pairs, REQUEST, REQUEST),
        add(pairs, REQUEST),
        add(pairs, ANSWER),
        add(pairs, ANSWER, REQUEST),
    ]
    assert told(np.concatenate(rows)) == [BOTH]
    assert pairs.repeated == 4
    shifted = replace(REQUEST, first=REQUEST.first + MS, last=REQUEST.last + MS, source_mac=PHONE)
    (row,) = add(pairing(), REQUEST, shifted, ANSWER)
    assert row["client_mac"] == PHONE
    biflow = replace(REQUEST, back=(12, 9000))
    assert len(add(pairing(), biflow, biflow)) == 1
    # Two single packets of equal size are two, unless at one instant.
    packet = Flow(*CLIENT, *PEER, 0, 0, 1, 60)
    pairs = pairing()
    add(pairs, packet, replace(packet, first=MS, last=MS))
    assert pairs.repeated == 0


def test_parts_that_all_state_the_first_beginning() -> None:
    """As firewalls tell: created, then what came since the last word, then the end."""
    created = replace(REQUEST, last=0, packets=0, octets=0, back=(0, 0))
    updated = [replace(REQUEST, last=minute * 60 * NS, back=(12, 9000), end_reason=2) for minute in (1, 2, 3)]
    deleted = replace(REQUEST, last=200 * NS, back=(12, 9000), end_reason=3)
    flows = [created, *updated, deleted]
    expected = [replace(BOTH, last=200 * NS, out=(40, 4000), into=(48, 36000))]
    assert read_plainly(add(pairing(), *flows)) == expected
    pairs = pairing()
    assert read_plainly(np.concatenate([add(pairs, flow) for flow in flows])) == expected


def test_waiting_ends() -> None:
    pairs = pairing()
    add(pairs, REQUEST)
    assert not len(pairs.expire(START + 5 * NS + WAIT_NS))
    assert told(pairs.expire(START + 5 * NS + WAIT_NS + 1)) == [replace(BOTH, last=5 * NS, into=(0, 0))]
    assert len(pairs) == 0
    assert not len(pairs.finish())


def test_the_other_half_may_come_after_a_seal() -> None:
    pairs = pairing()
    add(pairs, replace(REQUEST, end_reason=3))
    rows = np.concatenate([pairs.cut(), add(pairs, replace(ANSWER, end_reason=3)), pairs.finish()])
    assert read_plainly(rows) == [BOTH]


def test_without_receipt_a_files_own_time_passes() -> None:
    pairs = pairing()
    one, other = stated([REQUEST]), stated([replace(REQUEST, first=600 * NS, last=601 * NS, source_port=1)])
    one["received"] = other["received"] = 0
    pairs.add(one, 0, 0)
    assert told(pairs.add(other, 0, 0)) == [replace(BOTH, last=5 * NS, into=(0, 0))]


def test_memory_is_bounded_and_the_oldest_give_way() -> None:
    pairs = pairing(limit=1000)
    rows = []
    for port in range(3000):
        rows.append(add(pairs, replace(REQUEST, source_port=port, received=6 * NS + port)))
        assert len(pairs) <= 1000
    gone = np.concatenate(rows)
    assert set(gone["end_reason"].tolist()) == {5}
    assert pairs.evicted == len(gone) == 3000 - len(pairs)
    assert sorted(gone["client_port"].tolist()) == list(range(len(gone)))
    assert len(pairs.finish()) == 3000 - len(gone)


# -- any history, any order


@st.composite
def connections(draw: st.DrawFn) -> tuple[list[Flow], list[Told]]:
    """Connections with parts each way, some with one way only; and what they come to."""
    flows: list[Flow] = []
    truth: list[Told] = []
    named = draw(st.sampled_from([(0, 0), (PHONE, PHONE), (PHONE, 0)]))
    for number in range(draw(st.integers(1, 5))):
        client, peer = ("192.168.1.5", 1000 + number), ("fd00::9" if number % 2 else "9.9.9.9", 53)
        if number % 2:
            client = ("fd00::5", client[1])
            peer = ("2001:db8::9", peer[1])
        begin = draw(st.integers(0, 100)) * NS
        ways = draw(st.sampled_from([(0, 1), (0, 1), (0,), (1,)]))
        mine: list[Flow] = []
        for way in ways:
            now = begin + way * draw(st.sampled_from([0, 300_000, 20 * MS, 5 * NS]))
            for _ in range(draw(st.integers(1, 4))):
                last = now + draw(st.sampled_from([0, MS, 30 * NS, 60 * NS]))
                counts = draw(st.integers(1, 5)), draw(st.integers(20, 5000))
                ends = (*client, *peer) if way == 0 else (*peer, *client)
                macs = {"source_mac": named[0]} if way == 0 else {"destination_mac": named[1]}
                received = last + draw(st.sampled_from([NS, 15 * NS, 60 * NS]))
                mine.append(Flow(*ends, now, last, *counts, received=received, **macs))
                now = last + draw(st.sampled_from([MS, 30 * NS]))
        if len({(flow.source, flow.first, flow.last, flow.packets, flow.octets) for flow in mine}) < len(
            mine
        ):
            continue
        out, into = ([flow for flow in mine if (flow.source == client[0]) == (way == 0)] for way in (0, 1))
        if max(abs(a.first - b.last) for a in mine for b in mine) > 10_000 * NS:
            continue
        flows += mine
        truth.append(
            Told(
                *client,
                *peer,
                min(flow.first for flow in mine),
                max(flow.last for flow in mine),
                (sum(flow.packets for flow in out), sum(flow.octets for flow in out)),
                (sum(flow.packets for flow in into), sum(flow.octets for flow in into)),
            )
        )
    return sorted(flows, key=lambda flow: flow.received), truth


@settings(max_examples=150, deadline=None)
@given(connections(), st.data())
def test_what_is_read_is_what_was_stated(history: tuple[list[Flow], list[Told]], data: st.DataObject) -> None:
    """Whatever the batches, journals, seals and crashes: read at any time, nothing is missing or doubled."""
    flows, truth = history
    pairs = pairing()
    kept = [np.empty(0, pairs.finish().dtype)]
    journal = list(kept)
    left = list(flows)
    while left:
        size = data.draw(st.integers(1, len(left)))
        batch, left = left[:size], left[size:]
        rows = add(pairs, *batch)
        kept.append(rows)
        journal.append(rows)
        match data.draw(st.sampled_from(["journal", "journal", "seal", "expire", ""])):
            case "journal":
                journal.append(pairs.changed())
            case "seal":
                rows = pairs.cut()
                kept.append(rows)
                journal.append(rows)
            case "expire":
                rows = pairs.expire(START + batch[-1].received + data.draw(st.integers(0, 100)) * NS)
                kept.append(rows)
                journal.append(rows)
    last = pairs.finish()
    assert read_plainly(np.concatenate([*kept, last])) == sorted(truth)
    # The power failed after the last journal: the rows of the journal are read, the open ones among them.
    assert read_plainly(np.concatenate([*journal, last])) == sorted(truth)
    assert len(pairs) == 0


class Plain:
    """One half after the other, one dictionary: what waits, by the ends of its connection."""

    def __init__(self) -> None:
        self.halves: dict[tuple[object, ...], Flow] = {}
        self.rows: list[tuple[Flow, ...]] = []

    def add(self, flow: Flow) -> None:
        for key, half in list(self.halves.items()):
            if flow.received - half.received > WAIT_NS:
                self.rows.append((half,))
                del self.halves[key]
        ends = ((flow.source, flow.source_port), (flow.destination, flow.destination_port))
        key = tuple(sorted(ends))
        half = self.halves.pop(key, None)
        if half is None:
            self.halves[key] = flow
            return
        one, other = sorted((half, flow), key=lambda each: each.first)
        if one.source != other.source and other.first - one.last <= 60 * NS:
            self.rows.append((half, flow))
            return
        self.rows.append((one,))
        self.halves[key] = other

    def told(self) -> list[Told]:
        rows = self.rows + [(half,) for half in self.halves.values()]
        return sorted(map(_row, rows))


def _row(halves: tuple[Flow, ...]) -> Told:
    out = next((flow for flow in halves if _is_site(flow.source)), None)
    into = next((flow for flow in halves if not _is_site(flow.source)), None)
    if out:
        ends = (out.source, out.source_port, out.destination, out.destination_port)
    else:
        assert into
        ends = (into.destination, into.destination_port, into.source, into.source_port)
    return Told(
        *ends,
        min(flow.first for flow in halves),
        max(flow.last for flow in halves),
        (out.packets, out.octets) if out else (0, 0),
        (into.packets, into.octets) if into else (0, 0),
    )


def _is_site(address: str) -> bool:
    return address.startswith("192.168.") or ip_halves(address)[0] >> 56 == 0xFD


def _waited_in_vain(begun: int) -> list[Flow]:
    """What nothing came to for 90 s, and what came then: that is what waits, though it began no later."""
    return [
        Flow(*PEER, *CLIENT, begun, begun, 1, 20, received=begun + NS),
        Flow(*CLIENT, *PEER, 0, 60 * NS, 1, 20, received=120 * NS),
        Flow(*PEER, *CLIENT, MS, 60 * NS + MS, 1, 20, received=120 * NS + MS),
        Flow(*CLIENT, *PEER, 60 * NS + MS, 120 * NS + MS, 1, 20, received=121 * NS + MS),
    ]


@settings(max_examples=150, deadline=None)
@given(connections())
@example((_waited_in_vain(0), []))
@example((_waited_in_vain(5 * NS), []))
def test_one_half_after_the_other_is_as_the_plain_model_has_it(
    history: tuple[list[Flow], list[Told]],
) -> None:
    flows, _ = history
    pairs, plain = pairing(), Plain()
    rows = []
    for flow in flows:
        rows.append(add(pairs, flow))
        rows.append(pairs.expire(START + flow.received))
        plain.add(flow)
    rows.append(pairs.finish())
    assert told(np.concatenate(rows)) == plain.told()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(1, 200), st.booleans())
def test_whatever_a_device_states_is_bounded_and_lost_nowhere(seed: int, count: int, alike: bool) -> None:
    chance = np.random.default_rng(seed)
    rows = np.frombuffer(chance.bytes(STATED.itemsize * count), STATED).copy()
    for name in ("biflow", "by_receipt"):
        rows[name] = chance.integers(0, 2, count)
    rows["src_port"], rows["dst_port"] = chance.integers(-1, 65536, (2, count))
    if alike:  # one connection, at instants that cannot be
        for name in (*("src_ip_hi", "src_ip_lo", "dst_ip_hi", "dst_ip_lo"), *("src_port", "dst_port")):
            rows[name] = rows[name][0]
    for name in ("octets", "octets_back"):
        rows[name] &= np.uint64((1 << 48) - 1)  # so that they can be summed here
    pairs = pairing(limit=100)
    out = [
        pairs.add(rows[:100], 0, START),
        pairs.changed()[:0],
        pairs.add(rows[100:], 0, START),
        pairs.finish(),
    ]
    kept = np.concatenate(out)
    total = int(rows["octets"].sum()) + int(rows["octets_back"][rows["biflow"]].sum())
    if not pairs.repeated:
        assert int(kept["bytes_out"].sum()) + int(kept["bytes_in"].sum()) == total
    assert len(pairs) == 0
