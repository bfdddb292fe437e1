"""ARP, ND, DHCP and DHCPv6 to claims: scapy makes the frames and says what they must be taken for."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from appliance.model.addresses import ip_text, mac_text
from appliance.model.frames import ETHERNET, PADDING_BYTES, Frames
from appliance.model.instants import NS
from appliance.model.reasons import EVIDENCE_NAMES, Evidence, Note, Refusal
from appliance.wire.claims import Heard
from appliance.wire.decode import Decoder
from appliance.wire.leases import DHCP_LIMIT, dhcp_claims
from tests.forge import reading

FORGE = "control_frames.py"
START = 1_795_000_000 * NS
MALFORMED = {
    "ARP": {"other hardware", "other protocol", "lies about its lengths", "cut short"},
    "ND": {"endless option", "option past the end", "other code"},
    "DHCP": {
        *(
            "nonsense overload",
            "no cookie",
            "lease of three bytes",
            "option past the end",
            "too many options",
        ),
    },
    "DHCPv6": {"relayed without end", "option past the end", "empty"},
}


@dataclass(frozen=True)
class Forged:
    """A frame and the claims that its maker says it makes."""

    name: str
    frame: bytes
    claims: list[list[object]]


def forged() -> list[Forged]:
    return [Forged(case.name, case.frame, case.claims) for case in reading.cases(FORGE)]


def as_frames(contents: list[bytes]) -> Frames:
    """Frames a second apart, in a buffer whose unused bytes are not zero, so that reading them shows."""
    sizes = np.array([len(content) for content in contents], np.int64)
    data = np.frombuffer(b"".join(contents) + b"\xa5" * PADDING_BYTES, np.uint8).copy()
    time = START + np.arange(len(contents)) * NS
    return Frames(data, np.cumsum(sizes) - sizes, sizes, sizes, time, ETHERNET)


def told(claims: NDArray[np.void]) -> list[list[object]]:
    return [
        [
            ip_text(int(claim["ip_hi"]), int(claim["ip_lo"])),
            mac_text(int(claim["mac"])),
            EVIDENCE_NAMES[Evidence(claim["evidence"])],
            (int(claim["until"]) - int(claim["seen"])) // NS if claim["until"] else 0,
            bool(claim["released"]),
        ]
        for claim in claims
    ]


def test_every_forged_frame_is_taken_for_what_it_is() -> None:
    for case in forged():
        decoded = Decoder().decode(as_frames([case.frame]))
        assert (case.name, told(decoded.claims)) == (case.name, case.claims)


def test_a_batch_says_the_same_as_its_frames_alone() -> None:
    cases = forged()
    claims = Decoder().decode(as_frames([case.frame for case in cases])).claims
    for index, case in enumerate(cases):
        mine = claims[claims["seen"] == START + index * NS]
        assert (case.name, told(mine)) == (case.name, case.claims)


def test_what_is_malformed_is_counted_and_nothing_else_is() -> None:
    for case in forged():
        protocol, name = case.name.split(": ")
        decoded = Decoder().decode(as_frames([case.frame]))
        counted = decoded.noted.get(Note.UNREADABLE_CONTROL, 0) + decoded.refused.get(Refusal.BAD_CONTROL, 0)
        assert (case.name, counted) == (case.name, int(name in MALFORMED[protocol]))


@pytest.mark.parametrize("protocol", ["ARP", "ND", "DHCP", "DHCPv6"])
def test_cut_anywhere_a_frame_makes_the_same_claims_or_none(protocol: str) -> None:
    whole = [case for case in forged() if case.name.startswith(f"{protocol}:") and case.claims]
    cut = [(case, size) for case in whole for size in range(len(case.frame))]
    claims = Decoder().decode(as_frames([case.frame[:size] for case, size in cut])).claims
    for index in {int(seen - START) // NS for seen in claims["seen"]}:
        case, size = cut[index]
        mine = told(claims[claims["seen"] == START + index * NS])
        assert (case.name, size, mine) == (case.name, size, case.claims)


def test_a_tag_is_told_with_the_claim() -> None:
    vlans = {}
    for case in forged():
        if case.name in ("ARP: request", "ARP: one tag", "ND: tagged"):
            (vlan,) = Decoder().decode(as_frames([case.frame])).claims["vlan"]
            vlans[case.name] = int(vlan)
    assert vlans == {"ARP: request": -1, "ARP: one tag": 7, "ND: tagged": 7}


def test_a_flood_of_requests_hides_no_answer_and_is_counted() -> None:
    ack = next(case for case in forged() if case.name == "DHCP: ack").frame
    request = next(case for case in forged() if case.name == "DHCP: discover").frame
    request = request.replace(bytes([192, 0, 2, 10]), bytes(4))
    frames = as_frames([request] * (DHCP_LIMIT + 500) + [ack])
    payload = frames.offsets + 42
    heard = Heard(frames.time, np.full(len(frames), -1, np.int16), np.zeros(len(frames), np.uint64))
    claims, refused = dhcp_claims(frames.data, payload, frames.captured - 42, heard)
    assert len(claims) == 1
    assert refused == 501
