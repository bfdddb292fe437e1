"""Who is there now: from a cable, from an access point's report, to the keeper's answer; never on disk."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from appliance.control.messages import Actor, AskLive, AskPresent, Live, Present
from appliance.services.keeping import live, present
from appliance.services.keeping.at_hand import AtHand
from appliance.services.recording import presence_form
from tests.feeds.cloudtrax.published import SECRET, device, report, signature
from tests.system import load
from tests.system.boxes import Box, make_box
from tests.system.listening import feed_box, listening
from tests.system.networks import Network, may_make
from tests.system.warm import Warm, wait_for

PATIENCE_S = 40
NOBODY = Actor("", "", "")
GUESTS = [f"3c:5a:b4:00:00:{number:02x}" for number in range(1, 5)]  # of Google's block at the IEEE
INVENTED = "6e:5a:b4:00:00:09"
ACCESS_POINT = "AC:86:74:61:4F:C0"

SOURCES = f"""[[source]]
label = "hall"
addresses = ["127.0.0.1"]
kinds = ["cloudtrax"]
secret = "{SECRET}"
ap_macs = ["{ACCESS_POINT}"]
ap_labels = ["Bar"]
"""


def asked(at: AtHand) -> Present:
    answer = present.HANDLERS[AskPresent](at, NOBODY, AskPresent())
    assert isinstance(answer, Present)
    return answer


def told(at: AtHand) -> Live:
    answer = live.HANDLERS[AskLive](at, NOBODY, AskLive())
    assert isinstance(answer, Live)
    return answer


def macs(at: AtHand) -> set[str]:
    return {one.mac for one in asked(at).devices}


def packet(mac: str, number: int) -> bytes:
    """A datagram of connection `number`, sent by this device."""
    frame = load.frame_of(number)
    return frame[:6] + bytes.fromhex(mac.replace(":", "")) + frame[12:]


def send(network: Network, devices: list[str]) -> None:
    with network.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as wire:
        wire.bind(("switch", 0))
        for number, mac in enumerate(devices):
            for part in range(10):
                wire.send(packet(mac, number + part * load.CLIENTS))


def lying(home: Path, mac: str) -> list[str]:
    """Files in which a device's MAC stands, as text or as a number."""
    forms = [mac.encode(), mac.replace(":", "").encode(), bytes.fromhex(mac.replace(":", ""))]
    forms += [form.upper() for form in forms[:2]] + [forms[2][::-1]]
    files = [path for path in home.rglob("*") if path.is_file()]
    return [path.name for path in files if any(form in path.read_bytes() for form in forms)]


@pytest.mark.skipif(not may_make(), reason="needs root to make a network namespace")
def test_what_passes_on_a_cable(tmp_path: Path) -> None:
    box = make_box(tmp_path, [load.CLIENT_NET])
    at = AtHand(box.home)
    assert asked(at) == Present(False, (), 0)
    with Network() as network, network.inside(), Warm() as warm:
        network.cable("switch", "mirror")
        recorder = warm.start(
            ["record", "--home", str(box.home), "--interface", "mirror", "--json"], tmp_path / "out"
        )
        wait_for(lambda: asked(at).known, PATIENCE_S, "the recorder to answer")
        send(network, GUESTS[:2])
        wait_for(lambda: macs(at) == set(GUESTS[:2]), PATIENCE_S, "two guests")
        wait_for(lambda: told(at).is_recording, PATIENCE_S, "a status")
        assert told(at).users_now is None, "no number is about one or two"
        send(network, [*GUESTS, INVENTED])
        wait_for(lambda: macs(at) == {*GUESTS, INVENTED}, PATIENCE_S, "all guests")
        wait_for(lambda: told(at).users_now == 5, PATIENCE_S, "their number")
        begun, bits, packets = time.monotonic(), 0.0, 0.0
        while not (bits and packets) and time.monotonic() < begun + PATIENCE_S:
            send(network, GUESTS)
            time.sleep(0.5)
            now = told(at)
            bits, packets = now.bits_per_s or 0.0, now.packets_per_s or 0.0
        assert bits == pytest.approx(packets * load.OCTETS * 8)
        shown = {one.mac: one for one in asked(at).devices}
        assert {shown[mac].vendor for mac in GUESTS} == {"Google, Inc."}
        assert (shown[INVENTED].randomised, shown[INVENTED].vendor) == (True, None)
        assert not shown[GUESTS[0]].randomised
        assert shown[GUESTS[0]].since < shown[GUESTS[3]].since
        [place] = (box.home / "run").iterdir()
        assert (place.parent.stat().st_mode & 0o777, place.stat().st_mode & 0o777) == (0o700, 0o600)
        assert refused_to_others(place)
        assert not any(lying(box.home, mac) for mac in GUESTS)
        warm.end(recorder, signal.SIGTERM)
    wait_for(lambda: not asked(at).known, PATIENCE_S, "the recorder to be gone")
    assert list((box.home / "run").iterdir()) == []
    assert not any(lying(box.home, mac) for mac in GUESTS)


def refused_to_others(place: Path) -> bool:
    """Whether a process of another user gets nothing, even where the folders would let it in."""
    code = (
        "import os, socket, sys\n"
        "folder = os.open(sys.argv[1], os.O_PATH)\n"
        "os.setuid(65534)\n"
        "asking = socket.socket(socket.AF_UNIX)\n"
        "try:\n"
        "    asking.connect(f'/proc/self/fd/{folder}/' + sys.argv[2])\n"
        "    print(len(asking.recv(100)))\n"
        "except PermissionError:\n"
        "    print('refused')\n"
    )
    mode = place.stat().st_mode
    said = []
    for wider in (mode, 0o666):
        os.chmod(place, wider)
        done = subprocess.run(
            ["python3", "-c", code, str(place.parent), place.name], capture_output=True, text=True, timeout=20
        )
        said.append(done.stdout.strip())
    os.chmod(place, mode)
    return said[0] == "refused" and said[1] in ("0", "refused")


def test_what_an_access_point_tells(tmp_path: Path) -> None:
    box, ports = feed_box(tmp_path, ["10.0.0.0/8"], SOURCES)
    at, now = AtHand(box.home), int(time.time())
    seen = {"first_seen": now - 20, "last_seen": now}
    body = report(*(device(mac, **seen) for mac in GUESTS), device(INVENTED, **seen, associated=False))
    with listening(box, ports) as listener:
        url = f"https://127.0.0.1:{listener.ports['cloudtrax']}/cloudtrax"
        sent = [
            "curl",
            "-ksS",
            "--max-time",
            "20",
            "-H",
            f"Signature: {signature(body)}",
            "--data-binary",
            "@-",
            url,
        ]
        subprocess.run(sent, input=body, capture_output=True, check=True)
        wait_for(lambda: macs(at) == set(GUESTS), PATIENCE_S, "the guests of the report")
        assert {one.access_point for one in asked(at).devices} == {"Bar"}
        wait_for(lambda: told(at).users_now == 4, PATIENCE_S, "their number")
        assert not any(lying(box.home, mac) for mac in GUESTS)
        listener.end()
    assert not asked_again(box).known


def asked_again(box: Box) -> Present:
    return asked(AtHand(box.home))


def test_a_recorder_that_was_killed_is_not_asked_in_vain(tmp_path: Path) -> None:
    """Its socket lies there until the next one starts; nobody waits for it."""
    box, ports = feed_box(tmp_path, ["10.0.0.0/8"], SOURCES)
    with listening(box, ports) as listener:
        wait_for(lambda: asked_again(box).known, PATIENCE_S, "the listener to answer")
        listener.process.kill()
        listener.process.wait(timeout=20)
    [left] = (box.home / "run").iterdir()
    begun = time.monotonic()
    assert not asked_again(box).known
    assert time.monotonic() - begun < presence_form.PATIENCE_S, "it is not waited for"
    with listening(box, ports):
        wait_for(lambda: asked_again(box).known, PATIENCE_S, "the next one to answer")
        assert left not in (box.home / "run").iterdir()
