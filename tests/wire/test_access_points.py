"""What access points send their controllers, from frame to packet: scapy makes it, tshark is asked too."""

import shutil
import struct
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest

from appliance.model.frames import ETHERNET, PADDING_BYTES, Frames
from appliance.wire.decode import Decoded, Decoder
from appliance.wire.packets import PORTS_UNKNOWN
from appliance.wire.splits import LIMIT
from tests.forge import reading

FORGE = "access_point_frames.py"
CANARY = b"\xa5" * 9

TSHARK_CANNOT = {
    "CAPWAP: wireless information of an older controller": "wants to be told of them",
    "CAPWAP: binding 0": "does not go into it",
    "CAPWAP: binding 0, exchanged": "likewise",
    "CAPWAP: first fragment": "waits for the others",
    "LWAPP: first fragment": "likewise",
    "LWAPP: 802.11": "wants to be told which order",
}


def forged() -> list[SimpleNamespace]:
    return reading.cases(FORGE)


def decoded(
    contents: list[bytes], lengths: list[int], decoder: Decoder | None = None, times: list[int] | None = None
) -> Decoded:
    sizes = np.array([len(content) for content in contents], np.int64)
    data = np.frombuffer(
        b"".join(content + CANARY for content in contents) + b"\xa5" * PADDING_BYTES, np.uint8
    )
    offsets = np.cumsum(sizes + len(CANARY)) - sizes - len(CANARY)
    time = np.arange(len(sizes)) if times is None else np.array(times)
    frames = Frames(data.copy(), offsets, sizes, np.array(lengths), time, ETHERNET)
    return (decoder or Decoder()).decode(frames)


def mac(number: int) -> str:
    return int(number).to_bytes(6, "little").hex(":")


def told(found: Decoded) -> dict[int, list[list[object]]]:
    """Packets by the number of their frame, as the forge tells them."""
    said: dict[int, list[list[object]]] = {}
    for packets in found.packets:
        for row in range(len(packets)):
            wire = packets.addresses[0][row].tobytes()
            addresses = [".".join(map(str, half)) for half in (wire[:4], wire[4:])]
            ports = packets.ports[row].tobytes()
            known = not packets.shape[row] & PORTS_UNKNOWN
            pair = [int.from_bytes(ports[:2]), int.from_bytes(ports[2:])] if known else [-1, -1]
            through = 0 if packets.ap_mac is None else packets.ap_mac[row]
            macs = [mac(one) for one in (packets.source_mac[row], packets.destination_mac[row], through)]
            said.setdefault(int(packets.time[row]), []).append(
                [*addresses, *pair, int(packets.octets[row]), *macs]
            )
    return said


def test_every_forged_frame_is_what_its_maker_says() -> None:
    assert len(forged()) > 35
    for case in forged():
        found = decoded([case.frame], [len(case.frame)])
        assert (case.name, told(found).get(0, [])) == (case.name, case.packets)
        assert (case.name, {why.value: count for why, count in found.refused.items()}) == (
            case.name,
            case.refused,
        )
        inside = {"tunnelled": 1} if case.packets and not case.noted else {}
        assert (case.name, {why.value: count for why, count in found.noted.items()}) == (
            case.name,
            case.noted | inside,
        )


def test_a_frame_cut_anywhere_is_its_inside_or_its_outside_or_nothing() -> None:
    for case in forged():
        sizes = list(range(len(case.frame)))
        found = decoded([case.frame[:size] for size in sizes], [len(case.frame)] * len(sizes))
        outside = ["10.0.0.5", "10.0.0.1"]
        for number, packets in told(found).items():
            (packet,) = packets
            where = (case.name, sizes[number], packet)
            if packet[:2] == outside:
                assert packet[5:7] == ["02:05:05:05:05:05", "02:01:01:01:01:01"], where
                continue
            (whole,) = case.packets
            assert packet == whole or packet == [*whole[:2], -1, -1, *whole[4:]], where
        assert len(told(found)) + sum(found.refused.values()) == len(sizes)


def frames_of(*names: str) -> list[bytes]:
    known = {case.name: case.frame for case in forged()}
    return [known[name] for name in names]


def outcome(found: Decoded) -> dict[str, int]:
    said = {why.value: count for why, count in (*found.refused.items(), *found.noted.items())}
    said.pop("tunnelled", None)
    return said


@pytest.mark.parametrize("protocol", ["CAPWAP", "LWAPP"])
def test_a_later_piece_is_left_out_only_behind_a_first_one_that_was_read(protocol: str) -> None:
    first, later = frames_of(f"{protocol}: first fragment", f"{protocol}: later fragment")
    sizes = [len(first), len(later)]
    for contents in ([first, later], [later, first]):
        found = decoded(contents, [len(content) for content in contents])
        assert [len(packets) for packets in found.packets] == [1]
        assert outcome(found) == {"tunnel_fragment": 1}
    for away, expected in (
        (0, {"tunnel_fragment": 1}),
        (400_000_000, {"tunnel_fragment": 1}),
        (600_000_000, {"unknown_inner": 1}),
    ):
        decoder = Decoder()
        decoded([first], sizes[:1], decoder, [1_000])
        assert outcome(decoded([later], sizes[1:], decoder, [1_000 + away])) == expected
        assert outcome(decoded([first, later], sizes, times=[1_000, 1_000 + away])) == expected
    other = later.replace(bytes([10, 0, 0, 5]), bytes([10, 0, 0, 6]), 1)
    assert outcome(decoded([first, other], sizes)) == {"unknown_inner": 1}
    assert outcome(decoded([first[:-30], later], sizes)) == {"tunnel_fragment": 1}
    assert outcome(decoded([first[:60], later], sizes)) == {"unknown_inner": 2}


def test_a_later_piece_of_another_frame_is_recorded() -> None:
    first, *later = frames_of(
        "CAPWAP: first fragment", "CAPWAP: later fragment", "CAPWAP: later fragment of another frame"
    )
    contents = [first, *later * 20]
    found = decoded(contents, [len(content) for content in contents])
    assert outcome(found) == {"tunnel_fragment": 20, "unknown_inner": 20}


def test_a_flood_of_first_pieces_costs_bounded_memory() -> None:
    (first,) = frames_of("CAPWAP: first fragment")
    at = first.index(bytes([10, 0, 0, 5]))
    contents = [
        first[:at] + struct.pack(">I", 0x0A00_0000 + number) + first[at + 4 :]
        for number in range(LIMIT + 1_000)
    ]
    decoder = Decoder()
    decoded(contents, [len(first)] * len(contents), decoder)
    (later,) = frames_of("CAPWAP: later fragment")
    for number, expected in ((10, {"unknown_inner": 1}), (LIMIT + 900, {"tunnel_fragment": 1})):
        mine = later.replace(bytes([10, 0, 0, 5]), struct.pack(">I", 0x0A00_0000 + number), 1)
        assert outcome(decoded([mine], [len(mine)], decoder, [len(contents)])) == expected


def test_tshark_sees_the_same_inside() -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed: it judges this test")
    cases = [case for case in forged() if case.name not in TSHARK_CANNOT]
    compared = 0
    # tshark is told in which order the frame control lies; we see it.
    for swapped in (True, False):
        capture = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, ETHERNET)
        mine = [
            case for case in cases if ("exchanged" in case.name or "and wireless" in case.name) == swapped
        ]
        for case in mine:
            capture += struct.pack("<IIII", 1, 0, len(case.frame), len(case.frame)) + case.frame
        options = [f"capwap.swap_fc:{str(swapped).upper()}", f"lwapp.swap_fc:{str(swapped).upper()}"]
        fields = ("ip.src", "ip.dst", "wlan.sa", "wlan.da", "wlan.bssid", "eth.src", "eth.dst")
        arguments = [*(part for name in options for part in ("-o", name)), "-T", "fields"]
        arguments += [part for name in fields for part in ("-e", name)]
        run = subprocess.run(
            ["tshark", "-r", "-", *arguments], input=capture, capture_output=True, check=True
        )
        for case, line in zip(mine, run.stdout.decode().splitlines(), strict=True):
            values = [value.split(",")[-1] for value in line.split("\t")]
            source, destination, *macs = values
            if not case.packets or case.packets[0][0] == "10.0.0.5":
                continue  # tshark reads on where a header does not fit together
            compared += 1
            assert (case.name, [source, destination]) == (case.name, case.packets[0][:2])
            if macs[0]:
                assert (case.name, macs[:3]) == (case.name, case.packets[0][5:])
            else:
                assert (case.name, macs[3:]) == (case.name, case.packets[0][5:7])
    assert compared > 10
