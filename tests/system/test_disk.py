"""A disk that is full, read-only or closed to us: an alarm, a stated gap, and recording resumes by itself."""

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from appliance.model.instants import NS, from_iso
from tests.system import load
from tests.system.boxes import Box, make_box
from tests.system.mounts import in_own_mounts, mount
from tests.system.networks import Network, may_make
from tests.system.warm import Warm, is_alive, wait_for

pytestmark = pytest.mark.skipif(not may_make(), reason="needs root to mount a disk and lay a cable")

PER_SECOND = 200
DISK = "12m"


def alarms(box: Box) -> list[str]:
    """The faults that `status` shows, as one would read them; how good this machine's clock is left aside."""
    faults = [str(fault) for fault in box.json("status")["faults"]]
    return [fault for fault in faults if "keeps the clock right" not in fault]


class Scene:
    """A box on a small disk of its own, recording a busy wire."""

    def __init__(self, folder: Path, stack: ExitStack, **settings: int) -> None:
        self.disk = folder / "disk"
        self.disk.mkdir()
        mount("-t", "tmpfs", "-o", f"size={DISK}", "greffier-test", str(self.disk))
        self.box = make_box(self.disk, [load.CLIENT_NET])
        self.box.settings(**settings)
        self.output, self.witness = folder / "output", folder / "witness.pcap"
        network = stack.enter_context(Network())
        network.cable("switch", "mirror")
        with network.inside():
            self.warm = stack.enter_context(Warm())
        stack.enter_context(load.witnessing(network, "mirror", self.witness))
        self.pid = self.warm.start(
            ["record", "--home", str(self.box.home), "--interface", "mirror", "--json"], self.output
        )
        wait_for(lambda: self.box.recorder().get("sources"), 20, "the recorder to listen")
        self.load = stack.enter_context(ExitStack())
        self.load.enter_context(load.sending(network, "switch", PER_SECOND))
        time.sleep(1.5)

    def end(self) -> None:
        self.load.close()
        time.sleep(0.3)
        self.warm.end(self.pid, signal.SIGTERM)
        assert "exit 0" in self.output.read_text()


def go_through(scene: Scene, refuse: Callable[[], None], allow: Callable[[], None]) -> None:
    """Refuse writes for some seconds: there must be an alarm, no new process, and no alarm afterwards."""
    assert alarms(scene.box) == []
    refuse()
    wait_for(lambda: alarms(scene.box), 10, "an alarm in status")
    time.sleep(3)
    assert is_alive(scene.pid)
    assert any("disk" in alarm or "writ" in alarm for alarm in alarms(scene.box))
    allow()
    wait_for(lambda: not alarms(scene.box), 20, "the alarm to go")
    time.sleep(1.5)
    assert is_alive(scene.pid)


def nothing_is_missing(scene: Scene) -> None:
    """Everything tcpdump saw is there once: the recorder kept it in memory while the disk refused."""
    numbers, _ = load.testimony(scene.witness)
    packets = np.bincount(numbers)
    rows = scene.box.search()
    found = {load.number_of(row["client_ip"], row["client_port"]): row["packets_out"] for row in rows}
    assert len(found) == len(rows)
    assert found == dict(enumerate(packets.tolist()))
    scene.box.run("verify")
    assert "storage_refused" in scene.box.run("coverage", "--json")


def fill(scene: Scene) -> None:
    """Leave not one byte, as something else on the box might."""
    with (scene.disk / "ballast").open("wb", buffering=0) as ballast:
        for size in (1 << 16, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while ballast.write(bytes(size)):
                    pass


def test_a_full_disk(tmp_path: Path) -> None:
    def body() -> None:
        with ExitStack() as stack:
            scene = Scene(tmp_path, stack)
            go_through(scene, lambda: fill(scene), (scene.disk / "ballast").unlink)
            scene.end()
        nothing_is_missing(scene)

    in_own_mounts(body)


def test_killed_while_the_disk_refuses(tmp_path: Path) -> None:
    """What was in memory only is nowhere: coverage states it as lost, and as seen what can be found."""

    def body() -> None:
        with ExitStack() as stack:
            scene = Scene(tmp_path, stack)
            fill(scene)
            wait_for(lambda: scene.box.recorder()["alarms"], 10, "an alarm of the recorder")
            time.sleep(4)
            killed_ns = time.time_ns()
            scene.warm.end(scene.pid, signal.SIGKILL)
            (scene.disk / "ballast").unlink()
            arguments = ["record", "--home", str(scene.box.home), "--interface", "mirror", "--seconds", "2"]
            scene.warm.end(scene.warm.start(arguments, scene.output), 0)
            assert "exit 0" in scene.output.read_text()
        _, times = load.testimony(scene.witness)
        rows = scene.box.search("--parts")
        [covered] = scene.box.json("coverage")["sources"]
        [before] = [part for part in covered["periods"] if "interrupted" in part["noted"]]
        read = before["packets"] + before["lost"]["unwritten"]
        assert set(before["lost"]) == {"unwritten"}
        assert np.count_nonzero(times < killed_ns - 2 * NS) <= read <= np.count_nonzero(times < killed_ns)
        # A small write may still fit into the last page of a file after the alarm: what counts is that
        # the last instant stated is that of the last packet that can be found.
        assert before["lost"]["unwritten"] >= 2 * PER_SECOND
        assert abs(from_iso(before["last"]) - times[before["packets"] - 1]) < NS // 10
        first_ns, until_ns = from_iso(before["last"]), from_iso(covered["periods"][-1]["first"])
        assert {"from": before["last"], "until": covered["periods"][-1]["first"]} in covered["gaps"]
        assert first_ns < killed_ns < until_ns
        assert sum(row["packets_out"] for row in rows) == sum(part["packets"] for part in covered["periods"])
        scene.box.run("verify")

    in_own_mounts(body)


def test_a_disk_that_turns_read_only(tmp_path: Path) -> None:
    """It fills up first: what is open for writing could still be written to."""

    def body() -> None:
        with ExitStack() as stack:
            scene = Scene(tmp_path, stack)

            def refuse() -> None:
                fill(scene)
                wait_for(lambda: alarms(scene.box), 10, "an alarm in status")
                time.sleep(2)
                shut(scene.box.home)
                (scene.disk / "ballast").unlink()
                assert any("read-only" in alarm for alarm in alarms(scene.box))

            go_through(scene, refuse, lambda: reopen(scene.box.home))
            scene.end()
        nothing_is_missing(scene)

    in_own_mounts(body)


def shut(folder: Path) -> None:
    """Make a folder read-only for everybody, root too."""
    mount("--bind", str(folder), str(folder))
    mount("-o", "remount,ro,bind", str(folder))


def reopen(folder: Path) -> None:
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("folder", ["journal", "segments", "envelopes"])
def test_a_folder_that_may_not_be_written(tmp_path: Path, folder: str) -> None:
    """Only one folder refuses; with few rows allowed in memory, so that seals fall due meanwhile."""

    def body() -> None:
        with ExitStack() as stack:
            scene = Scene(tmp_path, stack, row_limit=1000, active_timeout_s=1)
            closed = scene.box.home / folder
            wait_for(lambda: list(closed.glob("*/*/*")), 20, "something in that folder")
            shut(closed)
            if folder == "envelopes":  # those are written once a day: nothing to refuse
                time.sleep(4)
            else:
                wait_for(lambda: alarms(scene.box), 15, "an alarm in status")
            time.sleep(2)
            assert is_alive(scene.pid)
            reopen(closed)
            wait_for(lambda: not alarms(scene.box), 20, "the alarm to go")
            scene.end()
        kept = sum(row["packets_out"] for row in scene.box.search())
        said = json.loads(scene.output.read_text().partition("exit")[0])
        assert kept == len(load.testimony(scene.witness)[0]) - said["lost"]
        scene.box.run("verify")

    in_own_mounts(body)
