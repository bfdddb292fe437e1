"""Published reports, signed by OpenSSL; whoever is not associated is nowhere in what is told."""

import hashlib
import hmac
import json
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.feeds.cloudtrax.decoder import CloudtraxDecoder
from appliance.feeds.cloudtrax.request import LONGEST_BODY_OCTETS, Request, pack, unpack
from appliance.feeds.told import Messages, Told
from appliance.model.addresses import mac_text
from appliance.model.instants import NS
from appliance.model.reasons import Evidence, Note, Refusal
from appliance.model.texts import Texts
from tests.feeds.cloudtrax.published import ALL_PASSING, ONE_ASSOCIATED, SECRET, device, report, signature

RECEIVED_S = 1455845822
quick_signature = partial(hmac.new, SECRET.encode(), digestmod=hashlib.sha256)


def hear(*sent: bytes, secret: str = SECRET, received_s: int = RECEIVED_S) -> Told:
    decoder = CloudtraxDecoder(Texts(), secret.encode())
    told = decoder.decode(Messages(np.full(len(sent), received_s * NS, np.int64), sent))
    assert len(told.answers) == len(sent)
    return told


def signed(body: bytes) -> bytes:
    return pack(Request(quick_signature(body).hexdigest(), body))


def test_only_associated_devices_of_the_published_reports_are_told() -> None:
    bodies = [ALL_PASSING.encode(), ONE_ASSOCIATED.encode()]
    told = hear(*(pack(Request(signature(body), body)) for body in bodies), received_s=1475860720)
    assert list(told.answers) == [b"200", b"200"]
    assert dict(told.refused) == {Refusal.NOT_ASSOCIATED: 3 + 4}
    assert {mac_text(mac) for mac in told.claims["mac"].tolist()} == {"48:5a:3f:37:de:f7"}
    assert {mac_text(mac) for mac in told.claims["ap_mac"].tolist()} == {"ac:86:74:61:4f:c0"}
    assert {mac_text(mac) for mac in told.spoken_by} == {"ac:86:74:61:4f:c0", "ac:86:74:82:9a:30"}
    assert set(told.claims["evidence"].tolist()) == {Evidence.PRESENCE}
    assert not told.claims["ip_hi"].any()
    assert not told.claims["ip_lo"].any()


def test_a_device_is_there_from_its_first_to_its_last_instant() -> None:
    body = ONE_ASSOCIATED.encode()
    told = hear(pack(Request(signature(body), body)))
    first, last = 1455845791 * NS, 1455845811 * NS
    assert told.claims[["seen", "until"]].tolist() == [(first, last), (last, 0)]
    assert not told.noted


def test_a_clock_that_cannot_be_meant_gives_way_to_the_receipt() -> None:
    told = hear(signed(report(device(first_seen=20, last_seen=40))))
    assert told.claims["seen"].tolist() == [RECEIVED_S * NS]
    assert told.noted == {Note.DEVICE_CLOCK: 2}
    told = hear(signed(report(device(first_seen=None, last_seen="now"))))
    assert told.claims["seen"].tolist() == [RECEIVED_S * NS]
    told = hear(signed(report(device(first_seen=None, last_seen=None))), received_s=0)
    assert told.refused == {Refusal.UNDATED: 1}


@pytest.mark.parametrize("form", [str, str.upper, "sha256={}".format])
def test_a_signature_is_known_in_every_writing(form: object) -> None:
    body = report(device())
    assert callable(form)
    assert hear(pack(Request(form(signature(body)), body))).answers == [b"200"]


@pytest.mark.parametrize("stated", ["", "0" * 64, "é" * 64, "0", "ff" * 4000])
def test_a_wrong_signature_tells_nothing(stated: str) -> None:
    told = hear(pack(Request(stated, report(device()))))
    assert told.answers == [b"401"]
    assert dict(told.refused) == {Refusal.BAD_SIGNATURE: 1}
    assert not len(told.claims)
    assert not told.spoken_by


def test_another_secret_another_body_or_no_secret_is_a_wrong_signature() -> None:
    body = report(device())
    other = pack(Request(signature(body, "another"), body))
    changed = pack(Request(signature(body), body + b" "))
    twice = b"Signature: %b\r\n" % signature(body).encode() + signed(body)
    assert hear(other, changed, twice).refused == {Refusal.BAD_SIGNATURE: 3}
    unsigned = pack(Request(hmac.new(b"", body, hashlib.sha256).hexdigest(), body))
    assert hear(unsigned, secret="").answers == [b"401"]


def test_a_request_as_it_was_captured_is_a_message_too() -> None:
    body = report(device())
    head = (
        f"POST /cloudtrax HTTP/1.1\r\nHost: box\r\nSIGNATURE:{signature(body)}\r\nContent-Length: {len(body)}"
    )
    assert hear(head.encode() + b"\r\n\r\n" + body).answers == [b"200"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{}", b"1e999", b"\xff", b"NaN", b"[" * 200_000, b"1" * 5000,
        b'{"a":' * 100_000,
        report(node_mac="nothing"), report(node_mac=None), report(node_mac="01:00:5e:00:00:01"),
        report(probe_requests={}), report(probe_requests=None),
        b'{"node_mac": "AC:86:74:61:4F:C0", "node_mac": "AC:86:74:61:4F:C1", "probe_requests": []}',
        b'{"node_mac": "AC:86:74:61:4F:C0", "probe_requests": [{"mac": NaN}]}',
        report(device()).decode().encode("utf-16"), report(device()) + b"x",
    ],
)  # fmt: skip
def test_what_is_no_report_is_refused_whole(body: bytes) -> None:
    told = hear(signed(body))
    assert told.answers == [b"400"]
    assert dict(told.refused) == {Refusal.BAD_MESSAGE: 1}
    assert not len(told.claims)


@pytest.mark.parametrize(
    "entry",
    [7, None, [], {}, device(mac=None), device(mac="x"), device(mac="ff:ff:ff:ff:ff:ff"),
     device(associated=1),
     device(associated="true"), device(associated=None)],
)  # fmt: skip
def test_an_entry_that_cannot_be_read_costs_only_itself(entry: object) -> None:
    body = json.loads(report(device()))
    body["probe_requests"].insert(0, entry)
    told = hear(signed(json.dumps(body).encode()))
    assert told.answers == [b"200"]
    assert dict(told.refused) == {Refusal.BAD_MESSAGE: 1}
    assert len(told.claims) == 2


@pytest.mark.parametrize("instant", [-1, 0, 1e999, 1.5, True, 10**18, 10**400, {}, "1455845811"])
def test_an_instant_that_is_none_is_the_receipt(instant: object) -> None:
    body = report(device(first_seen=instant, last_seen=instant)).replace(b"Infinity", b"1e999")
    told = hear(signed(body))
    assert told.answers == [b"200"]
    assert told.claims["seen"].tolist() == [RECEIVED_S * NS]


def test_a_report_without_devices_keeps_nothing() -> None:
    assert hear(signed(report())).refused == {Refusal.NOTHING_TO_KEEP: 1}


def test_a_body_out_of_all_bounds_is_not_read() -> None:
    told = hear(signed(b" " * (LONGEST_BODY_OCTETS + 1)))
    assert told.answers == [b"413"]
    assert dict(told.refused) == {Refusal.TOO_BIG: 1}


def test_cut_at_every_octet_nothing_is_told() -> None:
    whole = signed(report(device()))
    told = hear(*(whole[:end] for end in range(len(whole))))
    assert not len(told.claims)
    assert sum(told.refused.values()) == len(whole)
    assert set(told.answers) == {b"400", b"401"}


@settings(max_examples=200)
@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_any_octets(message: bytes) -> None:
    told = hear(message)
    assert not len(told.claims)
    assert sum(told.refused.values()) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150)
@given(JSON, st.dictionaries(st.sampled_from(["mac", "associated", "first_seen", "last_seen"]), JSON))
def test_any_json_that_is_signed(anything: object, changes: dict[str, object]) -> None:
    bodies = [
        json.dumps(anything).encode(),
        report(device(**changes)),
        report(device(), probe_requests=[anything]),
    ]
    told = hear(*map(signed, bodies))
    assert set(told.answers) <= {b"200", b"400"}
    assert len(told.claims) <= 4


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126)), st.binary(max_size=100))
def test_what_is_packed_is_unpacked(stated: str, body: bytes) -> None:
    assert unpack(pack(Request(stated, body))) == Request(stated, body)
