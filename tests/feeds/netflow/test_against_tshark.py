"""Exports of real devices: every flow, field and counter as tshark reads it, or a reason in the case."""

import functools
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.feeds.netflow.decoder import NetflowDecoder
from appliance.feeds.told import Messages, Told
from appliance.model.texts import Texts
from tests.feeds.netflow import dissected
from tests.feeds.netflow.exports import Case, dissect, read_cases

CASES = read_cases()
LATE_NS = 10**18


@functools.cache
def dissections() -> dict[str, list[dict[str, Any]]]:
    with tempfile.TemporaryDirectory() as folder:
        trees = dissect([case.messages for case in CASES], Path(folder))
    return {case.name: tree for case, tree in zip(CASES, trees, strict=True)}


def decode(case: Case) -> tuple[Told, Counter[str]]:
    """What a case tells when nobody knows when it came, and what is refused to the end."""
    decoder = NetflowDecoder(Texts())
    told = decoder.decode(Messages(np.zeros(len(case.messages), np.int64), case.messages))
    return told, told.refused + decoder.expire(LATE_NS).refused


def names_somebody(row: dict[str, int]) -> bool:
    ends = {(row[f"{side}_ip_hi"], row[f"{side}_ip_lo"]) for side in ("src", "dst")}
    return bool(ends - {(0, 0), dissected.UNSPECIFIED})


def test_there_are_enough() -> None:
    assert len(CASES) >= 50


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_flow_is_as_tshark_reads_it(case: Case) -> None:
    tree = dissections()[case.name]
    told, refused = decode(case)
    read = list(dissected.records(tree))
    events = [record for _, record in read if "cflow.nat_event" in record]
    flows = [(message, record) for message, record in read if "cflow.nat_event" not in record]
    named = [each for each in flows if names_somebody(dissected.stated(each[1]))]
    senders = {dissected.mac(record, "cflow.srcmac") for _, record in flows}
    init_ns = dissected.init_of(tree)
    assert refused["no_addresses"] == len(flows) - len(named)
    assert refused["no_template"] == dissected.without_template(tree)
    assert len(told.translations) == len(events)
    assert len(told.flows) == case.stated.get("flows", len(named))  # a number there has its reason there
    for (message, record), row in zip(named, told.flows, strict=False):
        expected = dissected.stated(record)
        came_for = dissected.mac(record, "cflow.dstmac")
        expected["dst_mac"] = expected["dst_mac"] or came_for * (came_for in senders)
        if "leaving" in case.stated:  # the reason stands there
            assert (expected["octets"], expected["packets"]) == dissected.taken_back(expected)
        assert {name: int(row[name]) for name in expected} == expected
        first, last = dissected.instants(message, record, init_ns)
        assert int(row["first"]) in first
        assert int(row["last"]) in last
    for record, row in zip(events, told.translations, strict=True):
        expected = dissected.translation(record)
        assert {name: int(row[name]) for name in expected} == expected


@pytest.mark.parametrize(
    ("name", "rates"),
    [  # as tshark shows the sampling interval: in headers, options records, or the flow records themselves
        ("v5-juniper-mx80", {1000}),
        ("v5-sampled", {0}),
        ("v9-sampling-in-records", {2048}),
        ("v9-sampling-options", {30000}),
        ("v9-data-and-templates", {100}),
        ("v9-fortigate-521", {1}),
        ("ipfix-mpls", {10}),
        ("ipfix-physical-interfaces", {1000}),
        ("ipfix-openbsd-plain", {1}),
    ],
)
def test_sampling_is_known(name: str, rates: set[int]) -> None:
    case = next(case for case in CASES if case.name == name)
    assert set(decode(case)[0].flows["sampling"].tolist()) == rates


@pytest.mark.parametrize(
    ("name", "flows"), [("v9-cisco-asr9k", 21), ("v9-asr-data", 4), ("v9-sampling-rates", 0)]
)
def test_sampler_whose_rate_was_not_told_is_noted(name: str, flows: int) -> None:
    case = next(case for case in CASES if case.name == name)
    assert decode(case)[0].noted["rate_unknown"] == flows


def test_samplers_have_rates_of_their_own() -> None:
    case = next(case for case in CASES if case.name == "v9-sampling-rates")
    tree = dissections()[case.name]
    rates = {"1": 2000, "2": 4000}  # sampler to random interval, of the options records
    expected = [rates[record["cflow.sampler_id"]] for _, record in dissected.records(tree)]
    assert decode(case)[0].flows["sampling"].tolist() == expected
