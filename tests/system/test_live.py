"""Live recorders on real cables: several at once, killed, unplugged, overwhelmed; nothing is lost unsaid."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.capture.interface import Link, link_of
from tests.system import load
from tests.system.boxes import GREFFIER, Box, make_box
from tests.system.networks import Network, may_make
from tests.system.warm import Warm, is_alive, kill, wait_for

pytestmark = pytest.mark.skipif(not may_make(), reason="needs root to make a network namespace")

PATIENCE_S = 30


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as network:
        network.cable("switch", "mirror")
        yield network


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return make_box(tmp_path, [load.CLIENT_NET])


def states(box: Box) -> dict[str, dict[str, Any]]:
    """What the living recorders say of themselves, by interface."""
    return {
        source["name"].removeprefix("interface:"): {**state, **source}
        for state in box.recorders()
        if is_alive(state["pid"])
        for source in state["sources"]
    }


def link(box: Box, interface: str) -> str:
    """up, down, absent, or nothing where the recorder has not said so yet."""
    stands = states(box).get(interface, {}).get("interface")
    return str(stands["link"]) if stands else ""


def send(network: Network, end: str, numbers: Iterable[int]) -> None:
    with network.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as wire:
        # A link that came up gets its queue up to a second later; what is sent before is dropped.
        wait_for(lambda: link_of(end) is Link.UP, PATIENCE_S, f"{end} to be up")
        time.sleep(0.1)
        wire.bind((end, 0))
        for number in numbers:
            wire.send(load.frame_of(number))


def said_in(output: Path) -> dict[str, Any]:
    """The closing report of a recorder."""
    return dict(json.loads(next(line for line in output.read_text().splitlines() if line.startswith("{"))))


def test_two_interfaces_at_once_and_one_recorder_that_dies(
    network: Network, box: Box, tmp_path: Path
) -> None:
    network.cable("switch2", "mirror2")
    settings = box.home / "box.toml"
    settings.write_text(settings.read_text().replace("interfaces = []", 'interfaces = ["mirror", "mirror2"]'))
    output = tmp_path / "recorder"
    with network.inside(), Warm() as warm:
        parent = warm.start(["record", "--home", str(box.home), "--json"], output)
        wait_for(
            lambda: [link(box, one) for one in ("mirror", "mirror2")] == ["up", "up"], PATIENCE_S, "both"
        )
        pids = {name: state["pid"] for name, state in states(box).items()}
        assert len({*pids.values(), parent}) == 3, "a process each"
        send(network, "switch", range(500))
        send(network, "switch2", range(1000, 1500))
        wait_for(lambda: states(box)["mirror2"]["packets"] == 500, PATIENCE_S, "the first frames")
        time.sleep(1.5)  # they are in the journal then
        kill(pids["mirror2"], signal.SIGKILL)
        wait_for(
            lambda: link(box, "mirror2") == "up" and states(box)["mirror2"]["pid"] != pids["mirror2"],
            PATIENCE_S,
            "a new recorder",
        )
        send(network, "switch", range(500, 600))
        send(network, "switch2", range(1500, 1600))
        wait_for(
            lambda: [states(box)[one]["packets"] for one in ("mirror", "mirror2")] == [600, 100],
            PATIENCE_S,
            "the last frames",
        )
        faults = " ".join(box.json("status")["faults"])
        warm.end(parent, signal.SIGTERM)
    report = said_in(output)
    assert [(part["interface"], part["packets"], part["restarts"]) for part in report["interfaces"]] == [
        ("mirror", 600, 0),
        ("mirror2", 100, 1),
    ]
    assert (report["packets"], report["lost"]) == (700, 0)
    assert "greffier: the recorder of mirror2 was killed by signal 9; it starts again" in output.read_text()
    assert "ended without closing" not in faults
    rows = box.search()
    kept = {load.number_of(row["client_ip"], row["client_port"]): row["source"] for row in rows}
    expected = dict.fromkeys(range(600), "interface:mirror")
    assert kept == expected | dict.fromkeys(range(1000, 1600), "interface:mirror2")
    covered = {source["source"]: source for source in box.json("coverage")["sources"]}
    assert sum(part["packets"] for part in covered["interface:mirror2"]["periods"]) == 600
    assert any("interrupted" in part["noted"] for part in covered["interface:mirror2"]["periods"])
    assert [part["packets"] for part in covered["interface:mirror"]["periods"]] == [600]
    box.run("verify")
    assert not any(is_alive(pid) for pid in pids.values())


def test_the_recorders_end_with_the_one_that_started_them(network: Network, box: Box, tmp_path: Path) -> None:
    network.cable("switch2", "mirror2")
    command = ["record", "--home", str(box.home), "--interface", "mirror", "--interface", "mirror2"]
    with network.inside(), Warm() as warm:
        parent = warm.start(command, tmp_path / "recorder")
        wait_for(
            lambda: [link(box, one) for one in ("mirror", "mirror2")] == ["up", "up"], PATIENCE_S, "both"
        )
        pids = [state["pid"] for state in states(box).values()]
        warm.end(parent, signal.SIGKILL)
        wait_for(lambda: not any(map(is_alive, pids)), PATIENCE_S, "both to end")
    assert [state["ended"] for state in box.recorders()] == [True, True]
    assert box.json("status")["faults"] == []


def test_unplugged_and_plugged_again_it_resumes_and_the_time_between_is_a_gap(
    network: Network, box: Box, tmp_path: Path
) -> None:
    output = tmp_path / "recorder"
    away_s = 3.0
    with network.inside(), Warm() as warm:
        recorder = warm.start(["record", "--home", str(box.home), "--json", "--interface", "mirror"], output)

        def wait_for_link(link_wanted: str) -> None:
            wait_for(lambda: link(box, "mirror") == link_wanted, PATIENCE_S, f"a link that is {link_wanted}")

        def send_and_wait(first: int) -> None:
            send(network, "switch", range(first, first + 100))
            wait_for(lambda: states(box)["mirror"]["packets"] == first + 100, PATIENCE_S, "the frames")

        wait_for_link("up")
        send_and_wait(0)
        for undo in ("switch down", "delete", "rename"):
            if undo == "switch down":
                network.run("ip", "link", "set", "switch", "down")
                wait_for_link("down")
                assert "has no link" in " ".join(box.json("status")["faults"])
                time.sleep(away_s)
                network.run("ip", "link", "set", "switch", "up")
            elif undo == "delete":
                network.run("ip", "link", "del", "mirror")
                wait_for_link("absent")
                time.sleep(away_s)
                network.cable("switch", "mirror")
            else:
                network.run("ip", "link", "set", "mirror", "down")
                network.run("ip", "link", "set", "mirror", "name", "elsewhere")
                wait_for_link("absent")
                time.sleep(away_s)
                network.run("ip", "link", "set", "elsewhere", "name", "mirror", "up")
            wait_for_link("up")
            wait_for(lambda: states(box)["mirror"]["interface"]["silent"], PATIENCE_S, "silence")
            send_and_wait(states(box)["mirror"]["packets"])
        running = box.json("coverage")["sources"][0]
        warm.end(recorder, signal.SIGTERM)
    report = said_in(output)
    assert (report["packets"], report["lost"]) == (400, 0)
    assert report["noted"]["interface_interrupted"] >= 3
    assert report["noted"]["interface_down_s"] >= 3 * (away_s - 1)
    sealed = box.json("coverage")["sources"][0]
    for covered in (running, sealed):
        assert [part["packets"] for part in covered["periods"]][-1] > 0
        assert len(covered["periods"]) == 4
        assert sum(part["packets"] for part in covered["periods"]) == 400
        assert len(covered["gaps"]) >= 3
    assert len(box.search()) == 400
    box.run("verify")


def test_what_is_beyond_capacity_is_reported_to_the_frame(network: Network, box: Box, tmp_path: Path) -> None:
    """The recorder is held up while more comes than the smallest ring takes."""
    box.settings(ring_mib=8)
    output, sent = tmp_path / "recorder", 120_000
    with network.inside(), Warm() as warm:
        recorder = warm.start(["record", "--home", str(box.home), "--json", "--interface", "mirror"], output)
        wait_for(lambda: link(box, "mirror") == "up", PATIENCE_S, "the recorder to listen")
        kill(recorder, signal.SIGSTOP)
        send(network, "switch", range(sent))
        kill(recorder, signal.SIGCONT)
        wait_for(lambda: states(box)["mirror"]["lost"].get("kernel"), PATIENCE_S, "the loss to be said")
        send(network, "switch", range(sent, sent + 1000))
        wait_for(
            lambda: states(box)["mirror"]["packets"] + states(box)["mirror"]["lost"]["kernel"] == sent + 1000,
            PATIENCE_S,
            "everything to be read or said to be lost",
        )
        status, words = box.json("status"), box.run("status")
        warm.end(recorder, signal.SIGTERM)
    report = said_in(output)
    assert 0 < report["lost_by_place"]["kernel"] < sent
    assert report["packets"] + report["lost"] == sent + 1000
    assert report["noted"]["ring_full"] > 0
    assert any("were lost since the start" in fault for fault in status["faults"])
    assert f"LOST {report['lost']:,} at kernel" in words
    assert "link up at 10,000 Mbit/s; never sends" in words
    (period,) = box.json("coverage")["sources"][0]["periods"]
    assert (period["packets"], period["lost"]) == (report["packets"], {"kernel": report["lost"]})
    assert len(box.search()) == report["packets"]


def test_a_mirror_that_gives_nothing_is_seen_to_give_nothing(
    network: Network, box: Box, tmp_path: Path
) -> None:
    with network.inside():
        box.run("record", "--interface", "mirror", "--seconds", "1.5")
    source = box.json("coverage")["sources"][0]
    (period,) = source["periods"]
    assert (period["packets"], period["lost"]) == (0, {})
    assert period["last"] > period["first"]


def test_an_interface_by_its_alternative_name_is_recorded_under_its_own(network: Network, box: Box) -> None:
    network.run("ip", "link", "property", "add", "dev", "mirror", "altname", "enp9s0")
    settings = box.home / "box.toml"
    settings.write_text(settings.read_text().replace("interfaces = []", 'interfaces = ["enp9s0"]'))
    with network.inside():
        box.run("record", "--seconds", "1.5")
    assert [source["source"] for source in box.json("coverage")["sources"]] == ["interface:mirror"]
    assert "bytecode '1,6 0 0 2'" in network.run("tc", "filter", "show", "dev", "mirror", "egress")


def test_what_came_just_before_a_deletion_is_recorded(network: Network, box: Box, tmp_path: Path) -> None:
    """The kernel still holds it; what comes when the interface is back is another period's."""
    output = tmp_path / "recorder"
    with network.inside(), Warm() as warm:
        recorder = warm.start(["record", "--home", str(box.home), "--json", "--interface", "mirror"], output)
        wait_for(lambda: link(box, "mirror") == "up", PATIENCE_S, "the recorder to listen")
        send(network, "switch", range(2000))
        network.run("ip", "link", "del", "mirror")
        wait_for(lambda: link(box, "mirror") == "absent", PATIENCE_S, "the recorder to see it")
        words = box.run("status")
        time.sleep(3)
        network.cable("switch", "mirror")
        wait_for(lambda: link(box, "mirror") == "up", PATIENCE_S, "the recorder to listen again")
        send(network, "switch", range(2000, 2500))
        wait_for(lambda: states(box)["mirror"]["packets"] == 2500, PATIENCE_S, "the last frames")
        warm.end(recorder, signal.SIGTERM)
    assert "link absent\n" in words
    assert "CAN SEND" not in words
    report = said_in(output)
    assert (report["packets"], report["lost"]) == (2500, 0)
    (source,) = box.json("coverage")["sources"]
    assert [part["packets"] for part in source["periods"]] == [2000, 500]
    assert len(box.search()) == 2500


def test_an_interface_of_the_settings_that_is_not_there_is_waited_for(
    network: Network, box: Box, tmp_path: Path
) -> None:
    """At boot, a driver late: the other is recorded meanwhile, and the wait is a gap that is said."""
    settings = box.home / "box.toml"
    settings.write_text(settings.read_text().replace("interfaces = []", 'interfaces = ["mirror", "mirror2"]'))
    output = tmp_path / "recorder"
    with network.inside(), Warm() as warm:
        parent = warm.start(["record", "--home", str(box.home), "--json"], output)
        wait_for(
            lambda: [link(box, one) for one in ("mirror", "mirror2")] == ["up", "absent"], PATIENCE_S, "one"
        )
        send(network, "switch", range(100))
        wait_for(lambda: states(box)["mirror"]["packets"] == 100, PATIENCE_S, "what the one sees")
        faults = " ".join(box.json("status")["faults"])
        time.sleep(2.5)
        waiting = box.json("coverage")["sources"]
        network.cable("switch2", "mirror2")
        wait_for(lambda: link(box, "mirror2") == "up", PATIENCE_S, "the other")
        send(network, "switch2", range(1000, 1100))
        wait_for(lambda: states(box)["mirror2"]["packets"] == 100, PATIENCE_S, "what the other sees")
        warm.end(parent, signal.SIGHUP)
    assert "'mirror2' is not there; it is recorded as soon as it is" in output.read_text()
    assert "'mirror2' is not there: plug it in" in faults
    assert [len(source["gaps"]) for source in waiting] == [0, 1]
    report = said_in(output)
    assert (report["packets"], report["lost"], report["complete"]) == (200, 0, True)
    assert report["noted"]["interface_down_s"] >= 2
    _, late = box.json("coverage")["sources"]
    assert [part["packets"] for part in late["periods"]] == [0, 100]
    assert "exit 0" in output.read_text()
    assert len(box.search()) == 200


def test_a_single_interface_of_the_settings_is_waited_for_in_vain(network: Network, box: Box) -> None:
    settings = box.home / "box.toml"
    settings.write_text(settings.read_text().replace("interfaces = []", 'interfaces = ["nowhere"]'))
    with network.inside():
        report = box.json("record", "--seconds", "4")
    assert (report["packets"], report["noted"]["interface_down_s"] >= 3) == (0, True)
    (source,) = box.json("coverage")["sources"]
    assert [part["packets"] for part in source["periods"]] == [0, 0]
    assert len(source["gaps"]) >= 1


def test_several_go_on_when_nobody_reads_their_complaints(network: Network, box: Box) -> None:
    network.cable("switch2", "mirror2")
    reader, log = os.pipe()
    command = ["record", "--home", box.home, "--interface", "mirror", "--interface", "mirror2", "--json"]
    with network.inside():
        parent = subprocess.Popen([GREFFIER, *command], stdout=subprocess.PIPE, stderr=log, text=True)
        os.close(log)
        try:
            wait_for(
                lambda: [link(box, one) for one in ("mirror", "mirror2")] == ["up", "up"], PATIENCE_S, "both"
            )
            os.close(reader)
            died = states(box)["mirror2"]["pid"]
            kill(died, signal.SIGKILL)
            wait_for(
                lambda: link(box, "mirror2") == "up" and states(box)["mirror2"]["pid"] != died,
                PATIENCE_S,
                "a new recorder, though that it died could not be said",
            )
            assert parent.poll() is None
        finally:
            parent.send_signal(signal.SIGTERM)
            said, _ = parent.communicate(timeout=PATIENCE_S)
    assert parent.returncode == 0
    report = json.loads(said)
    assert [part["restarts"] for part in report["interfaces"]] == [0, 1]
    assert report["complete"] is False


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--interface", "mirror", "--interface", "mirror"], 2, "'mirror' is given twice"),
        (["--interface", "mirror", "--interface", "enp9s0"], 2, "'enp9s0' is another name of it"),
        (["--interface", "mirror", "--interface", "nowhere"], 6, "'nowhere': there is no such interface"),
        (["--interface", "mirror", "hotel.pcap"], 2, "not both"),
        ([], 2, "nothing to record"),
        (["--interface", "mirror", "--seconds", "0"], 2, "above 0"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_no_trace(
    network: Network, box: Box, capfd: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    from appliance.cli.main import main

    network.run("ip", "link", "property", "add", "dev", "mirror", "altname", "enp9s0")
    with network.inside():
        assert main(["record", "--home", str(box.home), *arguments]) == code
    assert words in capfd.readouterr().err
    assert len((box.home / "chain.jsonl").read_text().splitlines()) == 1
