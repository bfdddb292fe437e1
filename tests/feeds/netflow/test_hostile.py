"""Damage and malice: parsed or counted, never raised, in bounded time and memory."""

import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.feeds.netflow.decoder import NetflowDecoder
from appliance.feeds.netflow.elements import MACS, NUMBERS, OUT_COUNTERS, TEXTS, V4, V6, Element
from appliance.feeds.told import Messages, Told
from appliance.model.texts import Texts
from tests.feeds.netflow.exports import Case, read_cases
from tests.feeds.netflow.forms import FLOW, NOW_NS, a_set, ipfix, messages, record, template, v5, v9

CASES = read_cases()


def _all_elements() -> list[Element]:
    tables = (NUMBERS, V4, V6, MACS, TEXTS)
    return [element for table in tables for elements in table.values() for element in elements]


def decode(*payloads: bytes) -> Told:
    return NetflowDecoder(Texts()).decode(messages(*payloads))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_truncated_at_every_octet(case: Case) -> None:
    """What is whole before the cut is told, nothing else: as many flows as a prefix can have."""
    *before, last = case.messages
    whole = len(decode(*case.messages).flows)
    decoder = NetflowDecoder(Texts())
    decoder.decode(messages(*before))
    for end in range(len(last)):
        if not before:  # nor do pieces of the only message remember the shorter ones
            decoder = NetflowDecoder(Texts())
        told = decoder.decode(messages(last[:end]))
        assert len(told.flows) <= whole
        assert end >= 16 or told.refused["bad_message"]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(CASES),
    st.lists(st.tuples(st.integers(0, 1400), st.integers(0, 255)), min_size=1, max_size=12),
)
def test_octets_changed_anywhere(case: Case, changes: list[tuple[int, int]]) -> None:
    damaged = [bytearray(each) for each in case.messages]
    for at, value in changes:
        message = damaged[at % len(damaged)]
        message[at % len(message)] = value
    decoder = NetflowDecoder(Texts())
    octets = sum(map(len, damaged))
    told = decoder.decode(messages(*map(bytes, damaged)))
    assert len(told.flows) <= octets
    decoder.expire(NOW_NS * 2)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([5, 9, 10]), st.binary(max_size=200)), max_size=6))
def test_any_octets_behind_a_header(bodies: list[tuple[int, bytes]]) -> None:
    payloads = [struct.pack("!HH", version, len(body) + 16) + bytes(12) + body for version, body in bodies]
    told = decode(*payloads)
    assert len(told.flows) <= sum(map(len, payloads))


READ = sorted({number for _, number in (*_all_elements(), *OUT_COUNTERS.values())})
LENGTHS = [0, 1, 2, 3, 4, 5, 6, 8, 9, 16, 33, 300, 65535]


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(READ) | st.integers(1, 500), st.sampled_from(LENGTHS)), max_size=14),
    st.binary(max_size=400),
    st.booleans(),
    st.booleans(),
)
def test_any_template_over_any_data(
    fields: list[tuple[int, int]], data: bytes, options: bool, old: bool
) -> None:
    definition = template(256, fields)
    if options:
        head = (
            struct.pack("!HHH", 256, 4, 4 * len(fields) - 4) if old and fields else definition[:4] + b"\0\1"
        )
        definition = head + definition[4:]
    number = options + (0 if old else 2)
    told = decode((v9 if old else ipfix)(a_set(number, definition), a_set(256, data)))
    assert len(told.flows) + len(told.translations) + len(told.claims) <= 2 * len(data) + 8


@pytest.mark.parametrize("version", [1, 7, 8, 11, 0x1234])
def test_other_versions_are_refused(version: int) -> None:
    assert decode(struct.pack("!H", version) + bytes(60)).refused == {"bad_message": 1}


@pytest.mark.parametrize("length", [0, 1, 3, 65535])
def test_set_lengths_that_cannot_be(length: int) -> None:
    told = decode(v9(a_set(0, template(256)), struct.pack("!HH", 256, length) + record() * 3))
    assert len(told.flows) == 0
    assert told.refused == {"bad_length" if length < 4 else "cut_short": 1}


def test_message_that_says_it_is_longer_or_shorter() -> None:
    whole = ipfix(a_set(2, template(256)), a_set(256, record() * 4))
    longer = whole[:2] + struct.pack("!H", len(whole) + 40) + whole[4:]
    assert len(decode(longer).flows) == 4
    assert decode(longer).refused == {"cut_short": 1}
    assert decode(whole + b"more").refused == {"bad_length": 1}
    assert decode(whole + bytes(8)).refused == {}
    assert len(decode(v5(3) + v5(2, sequence=3)).flows) == 5
    assert len(decode(whole + ipfix(a_set(256, record()), sequence=4)).flows) == 5
    assert decode(v5(3)[:-60]).refused == {"cut_short": 1}
    assert len(decode(v5(3)[:-60]).flows) == 1


def test_v5_that_says_it_has_more_than_any_can() -> None:
    told = decode(v5(65535)[:65000])
    assert len(told.flows) == (65000 - 24) // 48


def test_lists_longer_than_their_record() -> None:
    fields = ((291, 65535), *FLOW)
    inside = b"\xff\xff\xff" + bytes(60)
    told = decode(ipfix(a_set(2, template(256, fields)), a_set(256, inside)))
    assert (len(told.flows), told.refused["cut_short"]) == (0, 1)


def test_template_flood_is_bounded_and_hurts_nobody_else() -> None:
    decoder = NetflowDecoder(Texts())
    decoder.decode(messages(v9(a_set(0, template(256)))))
    wide = [(8, 4), *[(1, 1)] * 339]
    tracemalloc.start()
    for turn in range(24):
        flood = [
            v9(
                a_set(0, template(256 + (turn * 50 + n) % 60_000, wide)),
                a_set(40_000 + n, bytes(900)),
                domain=n,
            )
            for n in range(50)
        ]
        decoder.decode(messages(*flood))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 3 << 20
    assert len(decoder.decode(messages(v9(a_set(256, record() * 3), sequence=1))).flows) == 3


def test_counter_of_variable_length_is_not_read() -> None:
    fields = (*FLOW, (23, 65535))
    told = decode(v9(a_set(0, template(256, fields)), a_set(256, record() + b"\1\7")))
    assert told.flows["octets_back"].tolist() == [0]


def test_redefinition_in_every_message() -> None:
    swapped = (FLOW[1], FLOW[0], *FLOW[2:])
    payloads = [
        v9(a_set(0, template(256, swapped if n % 2 else FLOW)), a_set(256, record()), sequence=n)
        for n in range(400)
    ]
    told = decode(*payloads)
    assert len(told.flows) == 400
    assert told.noted["template_changed"] == 399


@pytest.mark.parametrize("at_s", [0, 5, 2**32 - 1])
def test_absurd_clock_is_replaced_by_receipt(at_s: int) -> None:
    fields = (*FLOW, (22, 4), (21, 4))
    times = struct.pack("!II", 3_590_000, 3_597_000)
    told = decode(v9(a_set(0, template(256, fields)), a_set(256, record() + times), at_s=at_s))
    flow = told.flows[0]
    assert flow["by_receipt"]
    assert told.noted == {"device_clock": 1}
    # Ended 3 s before the message left and lasted 7 s: this the device's wrong clock does not touch.
    assert (int(flow["first"]), int(flow["last"])) == (NOW_NS - 10 * 10**9, NOW_NS - 3 * 10**9)


def test_clock_nobody_can_judge_is_believed() -> None:
    payload = v9(a_set(0, template(256)), a_set(256, record()), at_s=7)
    told = NetflowDecoder(Texts()).decode(Messages(np.zeros(1, np.int64), [payload]))
    assert told.flows["first"].tolist() == [7 * 10**9]
    assert not told.flows["by_receipt"].any()
