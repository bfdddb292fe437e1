"""Every line there is here, damaged a few times over: never an error, never silence, by any grammar."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.feeds.syslog.decoder import SyslogDecoder
from appliance.feeds.syslog.registry import GRAMMARS
from appliance.feeds.told import Messages
from appliance.model.instants import from_iso
from appliance.model.texts import Texts
from tests.feeds.syslog.test_content import FIELDS, WHOLE
from tests.feeds.syslog.test_vendors import FIXTURES

NOW = from_iso("2026-11-22T03:00:00Z")
LINES = [line.encode() for fixture in FIXTURES for line, _ in fixture.lines]
LINES += [line.encode() for line in WHOLE + FIELDS]
_WORDS = (
    b" ", b"=", b":", b'"', b"[", b"]", b"{", b"}", b"\\", b"\n", b"\0", b"\xff", b"-1", b"0", b"9" * 20,
    b"::", b"255.255.255.255", b"0.0.0.0", b"ff:ff:ff:ff:ff:ff", b"Feb 29 ", b"2026-",
    b"packets=18446744073709551616 ", b"1e309",
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A line that lost, gained, repeated or changed octets, up to five times, or has some of another's."""
    line = bytearray(draw(st.sampled_from(LINES)))
    for _ in range(draw(st.integers(1, 5))):
        at, size = draw(st.integers(0, len(line))), draw(st.integers(1, 60))
        match draw(st.sampled_from(["change", "lose", "gain", "splice", "cut", "repeat"])):
            case "change":
                line[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case "lose":
                del line[at : at + size]
            case "gain":
                line[at:at] = draw(st.sampled_from(_WORDS))
            case "splice":
                other = draw(st.sampled_from(LINES))
                line[at:at] = other[at % len(other) :][:size]
            case "cut":
                del line[at:]
            case _:
                line[at:at] = line[max(at - size, 0) : at] * 9
    return bytes(line)


@settings(max_examples=400)
@given(damaged(), st.sampled_from(["", *(grammar.name for grammar in GRAMMARS)]), st.sampled_from([0, NOW]))
def test_damaged_lines(line: bytes, grammar: str, received_ns: int) -> None:
    decoder = SyslogDecoder(Texts(), "Europe/Paris", grammar, 5, lambda: NOW)
    told = decoder.decode(Messages(np.array([received_ns]), [line]))
    assert len(told.flows) + len(told.claims) + len(told.translations) + sum(told.refused.values())


def test_cut_at_every_octet() -> None:
    for line in LINES:
        decoder = SyslogDecoder(Texts(), "Europe/Paris", "", 5)
        cuts = [line[:size] for size in range(len(line))]
        told = decoder.decode(Messages(np.full(len(cuts), NOW), cuts))
        rows = len(told.flows) + len(told.claims) + len(told.translations)
        assert rows + sum(told.refused.values()) >= len(cuts)
