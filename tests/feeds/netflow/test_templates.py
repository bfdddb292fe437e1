"""Templates: whose they are, changed, withdrawn, forgotten, too many; data that waits for one."""

import struct

import pytest

from appliance.feeds.netflow.decoder import NetflowDecoder
from appliance.feeds.netflow.domains import DOMAINS_LIMIT, LIFETIME_NS, TEMPLATES_LIMIT
from appliance.feeds.netflow.waiting import OCTETS_LIMIT, OVERHEAD_OCTETS, WAIT_NS
from appliance.model.texts import Texts
from tests.feeds.netflow.forms import FLOW, NOW_NS, a_set, ipfix, messages, record, template, v9

TWO = record(1) + record(2)


@pytest.fixture
def decoder() -> NetflowDecoder:
    return NetflowDecoder(Texts())


@pytest.mark.parametrize(("export", "number"), [(v9, 0), (ipfix, 2)])
def test_template_and_data_of_one_message(decoder: NetflowDecoder, export, number: int) -> None:
    told = decoder.decode(messages(export(a_set(number, template(256)), a_set(256, TWO))))
    assert told.flows["octets"].tolist() == [100, 100]
    assert not told.refused


def test_each_domain_has_templates_of_its_own(decoder: NetflowDecoder) -> None:
    decoder.decode(messages(v9(a_set(0, template(256)), domain=1)))
    told = decoder.decode(messages(v9(a_set(256, TWO), domain=2), ipfix(a_set(256, TWO), domain=1)))
    assert len(told.flows) == 0
    assert decoder.expire(NOW_NS + WAIT_NS + 1).refused == {"no_template": 2}


def test_data_before_its_template_keeps_its_own_receipt(decoder: NetflowDecoder) -> None:
    assert len(decoder.decode(messages(v9(a_set(256, TWO)))).flows) == 0
    later = NOW_NS + 20 * 10**9
    told = decoder.decode(
        messages(v9(a_set(0, template(256)), a_set(256, record(3)), sequence=1), at_ns=later)
    )
    assert told.flows["received"].tolist() == [NOW_NS, NOW_NS, later]
    assert not decoder.expire(later + WAIT_NS * 2).refused


def test_data_whose_template_comes_too_late_is_counted(decoder: NetflowDecoder) -> None:
    decoder.decode(messages(v9(a_set(256, TWO))))
    assert decoder.expire(NOW_NS + WAIT_NS + 1).refused == {"no_template": 1}
    told = decoder.decode(messages(v9(a_set(0, template(256)), sequence=1), at_ns=NOW_NS + WAIT_NS + 2))
    assert len(told.flows) == 0


def test_what_waits_is_bounded(decoder: NetflowDecoder) -> None:
    many = 4 * OCTETS_LIMIT // 1000
    told = decoder.decode(messages(*(v9(a_set(300, bytes(1000)), sequence=n) for n in range(many))))
    assert many - OCTETS_LIMIT // 1000 <= told.refused["no_template"] < many - OCTETS_LIMIT // 1300
    rest = decoder.expire(NOW_NS + WAIT_NS + 1).refused["no_template"]
    assert told.refused["no_template"] + rest == many


def test_empty_sets_take_room_too(decoder: NetflowDecoder) -> None:
    told = decoder.decode(messages(*(v9(*[a_set(300, b"")] * 300, sequence=n) for n in range(20))))
    assert told.refused["no_template"] >= 6000 - OCTETS_LIMIT // OVERHEAD_OCTETS


def test_changed_template_holds_for_what_follows(decoder: NetflowDecoder) -> None:
    swapped = (FLOW[1], FLOW[0], *FLOW[2:])
    told = decoder.decode(
        messages(
            v9(a_set(0, template(256)), a_set(256, record(1)), sequence=0),
            v9(a_set(0, template(256)), a_set(256, record(2)), sequence=1),
            v9(a_set(0, template(256, swapped)), a_set(256, record(3)), sequence=2),
        )
    )
    assert told.noted == {"template_changed": 1}
    assert (told.flows["src_ip_lo"] & 0xFFFF_FFFF).tolist() == [0xC0000201, 0xC0000202, 0xC6336407]


def test_withdrawn_template_is_gone(decoder: NetflowDecoder) -> None:
    decoder.decode(messages(ipfix(a_set(2, template(256) + template(257)))))
    decoder.decode(messages(ipfix(a_set(2, struct.pack("!HH", 256, 0)))))
    told = decoder.decode(messages(ipfix(a_set(256, TWO), a_set(257, TWO))))
    assert len(told.flows) == 2
    for other in (1, 3, 255):  # these withdraw nothing here
        told = decoder.decode(messages(ipfix(a_set(2, struct.pack("!HH", other, 0)))))
        assert told.refused == {"bad_template": 1}
    assert len(decoder.decode(messages(ipfix(a_set(257, TWO)))).flows) == 2
    decoder.decode(messages(ipfix(a_set(2, struct.pack("!HH", 2, 0)))))
    assert len(decoder.decode(messages(ipfix(a_set(257, TWO)))).flows) == 0


def test_template_that_is_used_stays_and_others_are_forgotten_where_room_is_short(
    decoder: NetflowDecoder,
) -> None:
    many = TEMPLATES_LIMIT // 2
    decoder.decode(messages(*(v9(a_set(0, template(256 + n)), sequence=n) for n in range(many))))
    half = NOW_NS + LIFETIME_NS // 2 + 1
    later = half + LIFETIME_NS // 2 + 2
    decoder.decode(messages(v9(a_set(256, TWO), sequence=many), at_ns=half))
    decoder.expire(later)
    told = decoder.decode(messages(v9(a_set(256, TWO), a_set(257, TWO), sequence=many + 1), at_ns=later))
    assert len(told.flows) == 4
    decoder.decode(messages(v9(a_set(0, template(9000)), sequence=many + 2), at_ns=later))
    decoder.expire(later)
    told = decoder.decode(
        messages(v9(*(a_set(n, TWO) for n in (256, 257, 258)), sequence=many + 3), at_ns=later)
    )
    assert len(told.flows) == 4


def test_domains_long_silent_make_room(decoder: NetflowDecoder) -> None:
    decoder.decode(messages(*(v9(a_set(0, template(256)), domain=n) for n in range(DOMAINS_LIMIT))))
    later = NOW_NS + LIFETIME_NS + 1
    told = decoder.decode(messages(v9(a_set(0, template(256)), domain=DOMAINS_LIMIT), at_ns=later))
    assert told.refused == {"too_many": 1}
    told = decoder.decode(messages(v9(a_set(0, template(256)), domain=DOMAINS_LIMIT), at_ns=later))
    assert not told.refused


def test_no_more_templates_than_there_is_room_for(decoder: NetflowDecoder) -> None:
    told = decoder.decode(
        messages(*(v9(a_set(0, template(256 + n)), sequence=n) for n in range(TEMPLATES_LIMIT + 7)))
    )
    assert told.refused == {"bad_template": 7}
    last = 256 + TEMPLATES_LIMIT - 1
    assert len(decoder.decode(messages(v9(a_set(last, TWO), sequence=TEMPLATES_LIMIT + 7))).flows) == 2


def test_no_more_domains_than_there_is_room_for(decoder: NetflowDecoder) -> None:
    told = decoder.decode(
        messages(*(v9(a_set(0, template(256)), domain=n) for n in range(DOMAINS_LIMIT + 5)))
    )
    assert told.refused == {"too_many": 5}


@pytest.mark.parametrize(
    "definition",
    [
        template(255),  # the numbers below 256 are those of sets
        template(256, ()),  # no fields (in IPFIX a withdrawal)
        template(256, ((8, 0), (12, 0))),  # records without an octet
        template(256, FLOW)[:-1] + b"",  # cut
        struct.pack("!HH", 256, 65535),
    ],
)
def test_template_that_cannot_be_meant_is_refused(decoder: NetflowDecoder, definition: bytes) -> None:
    told = decoder.decode(messages(v9(struct.pack("!HH", 0, 4 + len(definition)) + definition)))
    assert told.refused == {"bad_template": 1}


def test_fields_of_unknown_meaning_are_noted_once_a_template(decoder: NetflowDecoder) -> None:
    odd = (*FLOW, (45_678, 3))
    told = decoder.decode(
        messages(
            *(v9(a_set(0, template(256, odd)), a_set(256, record() + b"abc"), sequence=n) for n in range(3))
        )
    )
    assert told.noted == {"unknown_field": 1}
    assert len(told.flows) == 3


def test_fields_that_name_what_was_visited_are_left_out(decoder: NetflowDecoder) -> None:
    texts = Texts()
    secret = b"https://example.org/private"
    odd = (*FLOW, (57_652, len(secret)))
    told = NetflowDecoder(texts).decode(
        messages(v9(a_set(0, template(256, odd)), a_set(256, (record() + secret) * 2)))
    )
    assert told.noted == {"content_stripped": 2}
    assert b"example" not in told.flows.tobytes()
    assert list(texts.all()) == [""]
