"""A thief with the box's key, and the home that is made of what he sent: it is made, and is bounded."""

import errno
import hashlib
import os
import resource
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from appliance.central import restoring
from appliance.central.places import Central
from appliance.central.refusals import Unproven
from appliance.cli.main import main
from appliance.model.errors import CentralError, FaultFound, StorageError
from appliance.vault.names import Home
from appliance.vault.verify import verify
from tests.central.made_sites import Sender, make_sender
from tests.central.servers import FOLDER
from tests.central.test_hostile_sites import Thief


@pytest.fixture
def central_kind() -> str:
    return FOLDER


@pytest.fixture
def sender(central: Central, tmp_path: Path) -> Sender:
    made = make_sender(central, tmp_path / "box")
    made.record()
    made.send_everything()
    return made


@pytest.mark.parametrize(
    ("custodians", "quorum"),
    [
        (["\x1b[31mX"], 1),
        (["age1x"], 1),
        ([5], 1),
        ([], 1),
        (None, 0),
        (None, 3),
        (None, True),
        (None, "2"),
        ("double", 1),
    ],
)
def test_custodians_that_there_cannot_be_are_not_stored(sender: Sender, custodians: Any, quorum: Any) -> None:
    """None: those of the box, two of them."""
    mine = list(sender.box.config.custodians)
    given = (
        {None: mine, "double": mine[:1] * 2}[custodians] if not isinstance(custodians, list) else custodians
    )
    with pytest.raises(Unproven, match=r"custodians|quorum"):
        Thief(sender).send(kind="custodians", custodians=given, quorum=quorum)
    Thief(sender).send(kind="custodians", custodians=mine[:1], quorum=1)


def forked(sender: Sender, count: int) -> None:
    """So many lines that all follow from the first one."""
    for number in range(count):
        Thief(sender).send(kind="repair", cut_bytes=number)


def restored(sender: Sender, out: Path, numbers: Sequence[int] = ()) -> restoring.Restoration:
    return restoring.restore(sender.central, sender.site, out, numbers=numbers)


def test_many_forks_give_few_homes_the_boxs_own_first_and_the_rest_is_named(
    sender: Sender, tmp_path: Path
) -> None:
    forked(sender, 40)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 12, hard))
    try:
        made = restored(sender, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (len(made.homes), len(made.left_out)) == (16, 25)
    own = Home(made.homes[0].home)
    assert own.chain.read_bytes() == sender.box.home.chain.read_bytes()
    assert verify(own).faults == ()
    assert (own.path / "state/restored/receipts.jsonl").read_bytes().count(b"\n") == made.homes[
        0
    ].objects - len(sender.lines())
    last = made.left_out[-1].number
    [one] = restored(sender, tmp_path / "one", [last]).homes
    assert (one.home, one.head) == (tmp_path / f"one/branch-{last}/home", str(made.left_out[-1]))
    assert not list(one.home.rglob("*.parquet"))
    for wrong in ([0], [42], list(range(1, 18))):
        with pytest.raises(CentralError, match="branch"):
            restored(sender, tmp_path / "none", wrong)


def test_what_is_in_several_homes_is_stored_once(sender: Sender, tmp_path: Path) -> None:
    thief = Thief(sender)
    whole = list(sender.lines().values())
    thief.number, thief.head = len(whole) - 2, hashlib.sha256(whole[-2]).hexdigest()
    thief.send(kind="repair", cut_bytes=1)
    one, other = [made.home for made in restored(sender, tmp_path / "out").homes]
    both = [path.relative_to(one) for path in one.rglob("*") if "envelopes" in path.parts and path.is_file()]
    assert both
    for name in both:
        assert (one / name).samefile(other / name)
    assert not (one / "state/head").samefile(other / "state/head")


def test_a_disk_without_second_names_gets_copies(
    sender: Sender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    thief = Thief(sender)
    whole = list(sender.lines().values())
    thief.number, thief.head = len(whole) - 2, hashlib.sha256(whole[-2]).hexdigest()
    thief.send(kind="repair", cut_bytes=1)
    one, other = [made.home for made in restored(sender, tmp_path / "out").homes]
    names = [path.relative_to(one) for path in one.rglob("*.envelope")]
    assert names
    for name in names:
        assert (one / name).read_bytes() == (other / name).read_bytes()


def test_an_interrupted_restore_is_completed_for_the_same_site_only(sender: Sender, tmp_path: Path) -> None:
    other = make_sender(sender.central, tmp_path / "other", "Hôtel de la Gare")
    other.record()
    other.send_everything()
    out = tmp_path / "out"

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restoring.restore(sender.central, sender.site, out, stop)
    before = (out / "home/chain.jsonl").read_bytes() if (out / "home/chain.jsonl").exists() else b""
    with pytest.raises(StorageError, match="another site"):
        restored(other, out)
    with pytest.raises(StorageError, match="branches"):
        restored(sender, out, [1])
    [made] = restored(sender, out).homes
    assert verify(Home(made.home)).faults == ()
    assert Home(made.home).chain.read_bytes() == sender.box.home.chain.read_bytes()
    assert before in (b"", Home(made.home).chain.read_bytes())


@pytest.mark.parametrize("inside", [".", "out", "objects/out", "custody"])
def test_no_home_is_made_among_the_centrals_own_files(sender: Sender, tmp_path: Path, inside: str) -> None:
    (tmp_path / "link").symlink_to(sender.central.folder)
    before = sorted(sender.central.folder.rglob("*"))
    for folder in (sender.central.folder, tmp_path / "link"):
        with pytest.raises(CentralError, match="own folder"):
            restored(sender, folder / inside)
    assert sorted(sender.central.folder.rglob("*")) == before


def test_the_command_names_what_it_left_out(
    sender: Sender, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forked(sender, 17)
    verb = [
        "central",
        "restore",
        "--dir",
        str(sender.central.folder),
        "--site",
        sender.signer.fingerprint[:16],
    ]
    assert main([*verb, "--to", str(tmp_path / "out")]) == FaultFound.exit_code
    told = capsys.readouterr().out
    assert told.count("Restored to") == 16
    assert "LEFT OUT: branch 17, its head 1:" in told
    assert "--branch 17 " in told
    assert main([*verb, "--to", str(tmp_path / "two"), "--branch", "17", "18"]) == 0
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == ["branch-17", "branch-18"]
