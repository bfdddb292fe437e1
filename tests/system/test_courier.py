"""The courier on real sticks: FAT and exFAT, full, locked, pulled out, and whoever writes on it killed."""

import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.central import places
from appliance.central.courier import Reading
from appliance.central.receiver import Receiver
from appliance.config.box import read as read_config
from appliance.config.central import CentralConfig
from appliance.model.errors import StorageError
from appliance.replication import parcels
from appliance.replication.courier import Writing
from appliance.replication.enrolled import enrolled
from appliance.replication.stick import Stick as Courier
from appliance.vault.names import Home
from tests.central.filled import Filled, enrol, make_filled
from tests.central.test_courier import assert_all_is_home, bring, kept, signed, take_in, write
from tests.system.boxes import GREFFIER, greffier
from tests.system.boxes import make_box as make_home
from tests.system.mounts import in_own_mounts
from tests.system.networks import may_make
from tests.system.sticks import Stick, stick
from tests.system.test_secrecy import CAPTURES, NETWORKS, address_forms, found_in
from tests.vault.made_homes import Box as MadeBox
from tests.vault.made_homes import Clock, traffic

pytestmark = pytest.mark.skipif(not may_make(), reason="needs root to mount sticks")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """A box with some 2 MB of records."""
    filled = make_filled(tmp_path_factory.mktemp("box"), hours=(9,))
    for hour in (10, 11, 12):
        filled.box.record(traffic(20_000, seed=hour, hour=hour))
    return filled


class Way:
    """A box, a central and a stick between them, by hand: each step is the verb itself."""

    def __init__(self, made: Filled, folder: Path, device: Stick) -> None:
        self.filled = Filled(made.box.copy_to(folder / "home"), made.late)
        self.home = self.filled.box.home.path
        self.dir = folder / "central"
        self.device = device
        central = places.create(self.dir, CentralConfig("Lyon"), ("127.0.0.1",))
        enrol(self.filled, central)
        central.close()

    def command(self, step: str) -> list[str]:
        point = str(self.device.point)
        return {
            "write": [GREFFIER, "courier", "write", "--home", str(self.home), "--to", point],
            "take in": [GREFFIER, "central", "courier", "read", "--dir", str(self.dir), point],
            "read": [GREFFIER, "courier", "read", "--home", str(self.home), "--from", point],
        }[step]

    def step(self, step: str, *more: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([*self.command(step), *more], capture_output=True, text=True, timeout=120)
        assert "Traceback" not in done.stderr
        assert "defect" not in done.stderr
        return done

    def killed(self, step: str, syscall: str, number: int) -> int:
        """The step, killed as by a power cut when it makes a system call for the n-th time."""
        inject = f"inject={syscall}:signal=KILL:when={number}"
        traced = ["strace", "-f", "-qqq", "-o", "/dev/null", "-e", f"trace={syscall}", "-e", inject]
        return subprocess.run([*traced, *self.command(step)], capture_output=True, timeout=120).returncode

    def check(self) -> None:
        """What the box counts as kept is kept, byte for byte."""
        central = places.open(self.dir)
        there = kept(central, self.filled.signer.fingerprint)
        central.close()
        everything = self.filled.objects()
        assert there.items() <= everything.items()
        assert signed(self.filled).keys() <= there.keys()

    def check_all(self) -> None:
        central = places.open(self.dir)
        assert_all_is_home(self.filled, central)
        central.close()


def on(kind: str, mib: int, made: Filled, folder: Path, body: Callable[[Way], None]) -> None:
    def run() -> None:
        with stick(folder, kind, mib) as device:
            body(Way(made, folder, device))

    in_own_mounts(run)


@pytest.mark.parametrize("kind", ["vfat", "exfat"])
def test_the_whole_way_by_hand(made: Filled, tmp_path: Path, kind: str) -> None:
    def body(way: Way) -> None:
        for step in ("write", "take in", "read"):
            way.device.plug()
            done = way.step(step)
            assert done.returncode == 0, done.stdout + done.stderr
            way.device.unplug()
        way.check_all()
        way.device.plug()
        assert "Nothing is lacking" in way.step("write").stdout
        assert "1 parcel deleted" in way.step("read", "--clean").stdout
        assert list(way.device.point.rglob("*.parcel")) == []
        way.device.unplug()

    on(kind, 16, made, tmp_path, body)


@pytest.mark.parametrize("kind", ["vfat", "exfat"])
def test_a_stick_that_is_too_small_goes_again_and_again(made: Filled, tmp_path: Path, kind: str) -> None:
    def body(way: Way) -> None:
        way.device.plug()
        rounds = 0
        while (done := way.step("write")).returncode:
            assert done.returncode == 7
            assert "the stick is full" in done.stderr
            assert way.step("take in").returncode == 0, "there is room for the receipts"
            assert way.step("read", "--clean").returncode == 0
            way.check()
            for path in (way.device.point / "greffier" / "receipts").iterdir():
                path.unlink()
            rounds += 1
            assert rounds < 20
        assert rounds >= 1
        assert way.step("take in").returncode == 0
        assert way.step("read").returncode == 0
        way.device.unplug()
        way.check_all()

    on(kind, {"vfat": 2, "exfat": 4}[kind], made, tmp_path, body)


def test_a_locked_stick_is_taken_in_and_gives_its_receipts_when_it_is_unlocked(
    made: Filled, tmp_path: Path
) -> None:
    def body(way: Way) -> None:
        way.device.plug(writable=False)
        assert way.step("write").returncode == 7
        way.device.unplug()
        way.device.plug()
        assert way.step("write").returncode == 0
        way.device.unplug()
        way.device.plug(writable=False)
        done = way.step("take in")
        assert done.returncode == 1
        assert "receipts could not be written" in done.stderr
        way.device.unplug()
        way.device.plug()
        assert way.step("take in").returncode == 0
        assert way.step("read").returncode == 0
        way.device.unplug()
        way.check_all()

    on("exfat", 16, made, tmp_path, body)


def test_killed_at_any_write_nothing_is_lost_and_nothing_false_counts(made: Filled, tmp_path: Path) -> None:
    draw = random.Random(20260314)

    def body(way: Way) -> None:
        way.device.plug()
        killed = 0
        for step, syscalls in (
            ("write", {"fsync": 3, "write": 40}),
            ("take in", {"fsync": 90, "fdatasync": 60}),
            ("read", {"fdatasync": 3, "write": 40}),
        ):
            for syscall, most in syscalls.items():
                killed += way.killed(step, syscall, draw.randint(1, most)) != 0
                way.check()
            assert way.step(step).returncode == 0
        assert killed >= 4
        way.device.unplug()
        way.check_all()

    on("exfat", 24, made, tmp_path, body)


def test_pulled_out_while_it_is_written_or_read(
    made: Filled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcels, "OBJECT_LIMIT", 6)

    def body(way: Way) -> None:
        home = way.filled.box.home
        for place in (3, 9, 17):
            way.device.plug()
            courier = Courier(way.device.point)
            count = 0

            def pull(done: int, total: int) -> None:
                nonlocal count
                count += 1
                if count == place:  # noqa: B023 - called in this round only
                    way.device.pull_out()

            with pytest.raises(StorageError, match="gave up"):
                Writing(home, courier, enrolled(home), way.filled.late, progress=pull).run()
            way.check()
            assert count == place
        way.device.plug()
        write(way.filled, Courier(way.device.point))
        central = places.open(way.dir)
        pulled = take_in_and_pull(way, central)
        assert pulled
        way.check()
        way.device.plug()
        take_in(central, Courier(way.device.point))
        central.close()
        bring(way.filled, Courier(way.device.point))
        way.device.unplug()
        way.check_all()

    on("exfat", 24, made, tmp_path, body)


def take_in_and_pull(way: Way, central: places.Central) -> bool:
    """Take in, and lose the stick after some parcels; what was taken stays, the rest is said."""
    seen = 0

    def pull(done: int, total: int) -> None:
        nonlocal seen
        seen += 1
        if seen == 4:
            way.device.pull_out()

    report = Reading(central, Receiver(central), Courier(way.device.point), progress=pull).run()
    return any(not one.is_taken for one in report.deliveries)


def as_made(home: Path) -> MadeBox:
    """A home as the other tests name it."""
    return MadeBox(Home(home), read_config(home / "box.toml"), [])


def test_a_stick_found_by_a_stranger_shows_no_address(tmp_path: Path) -> None:
    """The image itself is searched, twice: four bytes turn up by chance in random ones."""
    forms = address_forms()
    found = []

    def body() -> None:
        for name in ("one", "two"):
            folder = tmp_path / name
            folder.mkdir()
            box = make_home(folder, NETWORKS)
            box.run("record", CAPTURES[0])
            central = folder / "central"
            made = places.create(central, CentralConfig("Lyon"), ("127.0.0.1",))
            enrol(Filled(as_made(box.home), Clock()), made)
            made.close()
            with stick(folder, "vfat", 16) as device:
                device.plug()
                greffier("courier", "write", "--home", box.home, "--to", device.point)
                greffier("central", "courier", "read", "--dir", central, device.point)
                device.unplug()
                content = device.image.read_bytes()
                assert content.count(b'"greffier claim 1"') > 10
                assert content.count(b'"greffier receipt 1"') > 10
                found.append(found_in(content, forms))

    in_own_mounts(body)
    planted = next(iter(forms))
    assert found_in(b"\0" + max(forms[planted], key=len), forms), "the search itself is blind"
    assert found[0] & found[1] == set()
