"""802.11 frames to network layers: scapy makes them and says what they are, tshark says it too."""

import shutil
import struct
import subprocess
from collections import Counter
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.model.frames import PADDING_BYTES, Frames
from appliance.wire import radio, wlan
from appliance.wire.links import Refusals
from tests.forge import reading

FORGE = "wifi_frames.py"
CANARY = b"\xa5" * 9
"""Lies between frames, and must never show."""

LINKS = (radio.IEEE802_11, radio.PRISM, radio.RADIOTAP, radio.AVS, radio.PPI, radio.SWAPPED)
NOBODY = "00:00:00:00:00:00"

TSHARK_CANNOT = {
    "A-MSDU beyond its frame": "dissects a subframe that is longer than what is left",
    "first fragment": "waits for the others",
    "PPI, aligned, FCS 0": "counts the padding of a field that it does not know twice",
    "PPI, aligned, FCS 1": "likewise",
    "PPI of Ethernet": "has other names for its MACs",
    "A-MSDU in name only": "takes LLC for MACs",
    "radiotap, endless presence": "gives up",
}


def forged() -> list[SimpleNamespace]:
    return reading.cases(FORGE)


def as_frames(contents: list[bytes], link: int, lengths: list[int] | None = None) -> Frames:
    sizes = np.array([len(content) for content in contents], np.int64)
    data = np.frombuffer(
        b"".join(content + CANARY for content in contents) + b"\xa5" * PADDING_BYTES, np.uint8
    )
    offsets = np.cumsum(sizes + len(CANARY)) - sizes - len(CANARY)
    length = sizes if lengths is None else np.array(lengths, np.int64)
    return Frames(data.copy(), offsets, sizes, length, np.arange(len(sizes)), link)


def mac(number: int) -> str:
    return int(number).to_bytes(6, "little").hex(":")


def told(frames: Frames) -> tuple[list[list[list[object]]], list[Counter[str]]]:
    """Of each frame: its network layers, positions counted from its start, and why others were refused."""
    refusals = Refusals()
    found = wlan.reached(frames, np.arange(len(frames)), refusals)
    layers: list[list[list[object]]] = [[] for _ in range(len(frames))]
    assert found.ap_mac is not None
    for row in range(len(found)):
        begin = int(frames.offsets[found.at[row]])
        assert found.wire_end is not None
        assert found.start[row] <= found.end[row] <= found.wire_end[row]
        macs = [mac(column[row]) for column in (found.source_mac, found.destination_mac, found.ap_mac)]
        places = [int(found.start[row]) - begin, int(found.end[row]) - begin]
        layers[found.at[row]].append([*macs, int(found.kind[row]), *places])
    refused: list[Counter[str]] = [Counter() for _ in range(len(frames))]
    for reason, at in refusals._refused:
        for number in at:
            refused[number][reason.value] += 1
    return layers, refused


def test_every_forged_frame_is_what_its_maker_says() -> None:
    assert len(forged()) > 70
    for link in {case.link for case in forged()}:
        cases = [case for case in forged() if case.link == link]
        layers, refused = told(as_frames([case.frame for case in cases], link))
        for case, got, why in zip(cases, layers, refused, strict=True):
            assert (case.name, got, dict(why)) == (case.name, case.layers, case.refused)


def test_a_frame_cut_anywhere_says_the_same_or_less() -> None:
    """Never a MAC, a kind or a place that the whole frame does not have; and every frame is accounted for."""
    for case in forged():
        if len(case.frame) > 1000:
            continue
        sizes = list(range(len(case.frame) + 1))
        frames = as_frames([case.frame[:size] for size in sizes], case.link, [len(case.frame)] * len(sizes))
        for size, got, why in zip(sizes, *told(frames), strict=True):
            whole = [row[:5] for row in case.layers]
            ends = {tuple(row[:5]): row[5] for row in case.layers}
            assert all(row[:5] in whole for row in got), (case.name, size)
            # The radio's checksum may lie behind the last bytes; otherwise all captured ones are the layer's.
            assert all(row[5] == min(size, ends[tuple(row[:5])]) for row in got), (case.name, size)
            assert got or why, (case.name, size)
            lost = len(case.layers) - len(got)
            assert not lost or sum(why.values()) > 0, (case.name, size)


@settings(max_examples=200)
@given(
    st.lists(st.one_of(st.binary(max_size=120), st.sampled_from([0, 1, 2])), max_size=8),
    st.sampled_from(LINKS),
    st.data(),
)
def test_any_bytes_are_accounted_for(contents: list[bytes | int], link: int, data: st.DataObject) -> None:
    """Bytes, and forged frames with some bytes changed: nothing raises, and no MAC comes out of nowhere."""
    frames = []
    for content in contents:
        if isinstance(content, bytes):
            frames.append(content)
            continue
        case = data.draw(st.sampled_from([case for case in forged() if len(case.frame) < 400]))
        broken = bytearray(case.frame)
        for _ in range(data.draw(st.integers(1, 4))):
            broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
        frames.append(bytes(broken[: data.draw(st.integers(0, len(broken)))]))
    layers, refused = told(as_frames(frames, link))
    for frame, got, why in zip(frames, layers, refused, strict=True):
        assert got or why
        for source, destination, through, kind, start, end in got:
            for said in (source, destination, through):
                assert said == NOBODY or bytes.fromhex(str(said).replace(":", "")) in frame
            assert isinstance(start, int)
            assert isinstance(end, int)
            assert isinstance(kind, int)
            assert 0 <= start <= end <= len(frame)
            assert frame[start - 2 : start] == kind.to_bytes(2)


def test_some_frames_of_a_batch_say_the_same_as_all_of_them() -> None:
    cases = [case for case in forged() if case.link == radio.IEEE802_11]
    frames = as_frames([case.frame for case in cases], radio.IEEE802_11)
    odd = np.arange(1, len(cases), 2)
    found = wlan.reached(frames, odd, Refusals())
    assert Counter(found.at.tolist()) == Counter(
        {number: len(cases[number].layers) for number in odd.tolist() if cases[number].layers}
    )


def sent(name: str, number: int, retry: bool, tid: int = 0, receiver: int = 0) -> bytes:
    """A forged frame with another sequence number, retry bit, traffic class and receiver."""
    frame = bytearray(next(case.frame for case in forged() if case.name == name))
    frame[1] |= 0x08 * retry
    frame[9] ^= receiver
    frame[22:24] = (number << 4).to_bytes(2, "little")
    if frame[0] & 0x80:
        frame[24] = tid
    return bytes(frame)


def test_what_is_repeated_on_the_air_counts_once() -> None:
    """IEEE 802.11-2020, 10.3.2.14: sender, receiver, class and number are those of a frame just heard."""
    plain, quality = "to the DS", "to the DS, QoS"
    heard = [
        (0, sent(plain, 7, False), 1),
        (1, sent(plain, 7, True), 0),
        (2, sent(plain, 7, True), 0),
        (3, sent(plain, 8, True), 1),  # the first one was not heard
        (4, sent(plain, 9, False), 1),
        (150, sent(plain, 9, True), 1),  # too late
        (151, sent(plain, 9, False), 1),  # no repetition
        (152, sent(quality, 9, True, tid=1), 1),  # other numbers
        (153, sent(quality, 9, True, tid=2), 1),
        (154, sent(quality, 9, True, tid=2), 0),
        (155, sent(quality, 9, True, tid=2, receiver=1), 1),
    ]
    frames = as_frames([frame for _, frame, _ in heard], radio.IEEE802_11)
    frames.time[:] = [ms * 1_000_000 for ms, _, _ in heard]
    layers, refused = told(frames)
    assert [len(each) for each in layers] == [count for *_, count in heard]
    assert [why["wifi_repeated"] for why in refused] == [1 - count for *_, count in heard]


@cache
def judged() -> dict[tuple[int, int], SimpleNamespace]:
    """What tshark says of each forged frame, by link type and number."""
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed: it judges this test")
    fields = {"source": "wlan.sa", "destination": "wlan.da", "through": "wlan.bssid", "kind": "llc.type"}
    fields |= {f"mesh{number}": f"wlan.fixed.mesh_addr{number}" for number in (4, 5, 6)}
    said = {}
    for link in LINKS[:-1]:
        capture = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
        for case in forged():
            if case.link == link:
                size = len(case.frame)
                capture += struct.pack("<IIII", 1, 0, size, size) + case.frame
        options = ["-T", "fields", *(part for name in fields.values() for part in ("-e", name))]
        run = subprocess.run(["tshark", "-r", "-", *options], input=capture, capture_output=True, check=True)
        for number, line in enumerate(run.stdout.decode().splitlines()):
            values = [value.split(",") if value else [] for value in line.split("\t")]
            said[link, number] = SimpleNamespace(**dict(zip(fields, values, strict=True)))
    return said


def test_tshark_says_the_same() -> None:
    """Source, destination, BSSID and ethertype of every forged frame that tshark takes for clear data."""
    compared = 0
    for link in LINKS[:-1]:
        for number, case in enumerate(case for case in forged() if case.link == link):
            rows, said = case.layers, judged()[link, number]
            if not rows or len(rows) > 3 or case.name in TSHARK_CANNOT or "clear" in case.name:
                continue
            compared += 1
            destinations = said.mesh5 or said.destination
            # Of an A-MSDU the outer header has a source too, and tshark tells of refused subframes.
            sources = said.mesh4 or said.mesh6 or said.source
            assert (case.name, said.kind) == (case.name, [f"0x{row[3]:04x}" for row in rows])
            own = sources[-len(destinations) :]
            assert (case.name, own[: len(rows)]) == (case.name, [row[0] for row in rows])
            assert (case.name, destinations[: len(rows)]) == (case.name, [row[1] for row in rows])
            if rows[0][2] != NOBODY:
                assert (case.name, said.through[:1]) == (case.name, [rows[0][2]])
    assert compared > 35
