"""A receipt means durable bytes: what the kernel was asked before it, what kill -9 leaves, a full disk."""

import hashlib
import itertools
import os
import re
import signal
import subprocess
import sys
from http import HTTPStatus
from pathlib import Path

import pytest

from appliance.central import places
from appliance.central.answers import refusal_of
from appliance.central.places import Central
from appliance.config.central import CentralConfig, LimitsConfig
from appliance.model.errors import StorageError
from appliance.replication import claims
from appliance.replication.targets import Conflict
from appliance.vault import seals
from appliance.vault.chain import Chain
from appliance.vault.names import VaultName
from appliance.vault.seals import StoredFile
from tests.central.made_sites import Sender, make_sender, stored
from tests.central.servers import FOLDER
from tests.system.mounts import in_own_mounts, mount
from tests.vault.made_homes import DAY

NAME = "statistics/2026-03-14/0123abcd-{}.jsonl"

DEPOSITOR = """
import io, os, signal, sys
from pathlib import Path
from appliance.central import acceptance, places
from appliance.central.receiver import Receiver
from appliance.replication import claims

central = places.open(Path(sys.argv[1]))
claim, content, dies = claims.parse(bytes.fromhex(sys.argv[2])), Path(sys.argv[3]), sys.argv[4]
accept = acceptance.accept
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
def accept_and_die(*given): accept(*given); die()
acceptance.accept = {"before": die, "after": accept_and_die, "": accept}[dies]
with content.open("rb") as file:
    receipt = Receiver(central).deposit(claim, file)
os.write(1, receipt.render())
"""


@pytest.fixture
def central_kind(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", FOLDER))


def in_a_process(
    sender: Sender, name: str, content: bytes, file: Path, dies: str = "", before: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[bytes]:
    file.write_bytes(content)
    claim = sender.claim(name, content).render().hex()
    command = [sys.executable, "-c", DEPOSITOR, str(sender.central.folder), claim, str(file), dies]
    return subprocess.run([*before, *command], capture_output=True, timeout=60, check=False)


_CALL = re.compile(r"^\d+ +(\w+)\((.*)\) += (-?\d+)")


def test_object_and_catalogue_are_synced_before_the_answer(central: Central, tmp_path: Path) -> None:
    sender = make_sender(central, tmp_path / "box")
    sender.deposit(NAME.format(0), b"{}\n")  # folders are there, and the site has been heard
    central.database.close_all()  # the log of another connection is not what is looked at
    trace = tmp_path / "trace"
    calls = "trace=write,pwrite64,fsync,fdatasync,link,linkat,rename,renameat,renameat2"
    strace = ("strace", "-f", "-qq", "-y", "-s", "16", "-o", str(trace), "-e", calls)
    done = in_a_process(sender, NAME.format(1), b'{"a":1}\n', tmp_path / "file", before=strace)
    assert done.returncode == 0, done.stderr
    seen = [found.groups() for line in trace.read_text().splitlines() if (found := _CALL.match(line))]
    assert all(int(result) >= 0 for _, _, result in seen)
    order = [step for step, _ in itertools.groupby(filter(None, itertools.starmap(_step, seen)))]
    assert order[:4] == [
        "the object is written",
        "the object is synced",
        "the object has its name",
        "its folder is synced",
    ]
    # The log begins with a head, which is written and synced by itself.
    catalogue = ["the catalogue is written", "the catalogue is synced"]
    answer = order.index("answer")
    assert answer > 4
    assert order[4:answer] == catalogue * ((answer - 4) // 2)


def _step(call: str, what: str, _: str) -> str | None:
    """What a system call means for one deposit."""
    file = re.search(r"<([^>]*)>", what)
    path = file[1] if file else ""
    synced = call in ("fsync", "fdatasync")
    if "link" in call or "rename" in call:
        return "the object has its name" if ".jsonl" in what else None
    if "/objects/.new/" in path:
        return "the object is synced" if synced else "the object is written"
    if re.search(r"/statistics/[0-9-]+$", path) and synced:
        return "its folder is synced"
    if path.endswith("catalogue.sqlite-wal"):
        return "the catalogue is synced" if synced else "the catalogue is written"
    return "answer" if call == "write" and what.startswith("1<") else None


@pytest.mark.parametrize("dies", ["before", "after"])
@pytest.mark.parametrize("central_kind", [FOLDER, "s3+postgresql"], indirect=True)
def test_after_a_kill_the_next_deposit_works(central: Central, tmp_path: Path, dies: str) -> None:
    sender = make_sender(central, tmp_path / "box")
    first = sender.deposit(NAME.format(0), b"{}\n")
    content = b'{"a":1}\n'
    died = in_a_process(sender, NAME.format(1), content, tmp_path / "file", dies)
    assert (died.returncode, died.stdout) == (-signal.SIGKILL, b"")
    assert sorted(stored(central).values()) == sorted([b"{}\n", content])  # bytes first, whenever it died
    assert len(sender.rows()) == {"before": 1, "after": 2}[dies]
    if dies == "before":
        # Nothing counts as taken, so even other bytes may come: a claim that was made too soon.
        sender.deposit(NAME.format(2), b'{"b":1}\n')
    receipt = sender.deposit(NAME.format(1), content)
    rows = sender.rows()
    assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
    assert receipt.sequence == {"before": 3, "after": 2}[dies]
    assert (dies == "before") or receipt.previous == hashlib.sha256(first.render()).hexdigest()


def test_bytes_without_a_receipt_stand_in_nobodys_way(central: Central, tmp_path: Path) -> None:
    """A crash before the transaction, then other bytes under the same name: the first counted for nothing."""
    sender = make_sender(central, tmp_path / "box")
    in_a_process(sender, NAME.format(1), b'{"a":1}\n', tmp_path / "file", "before")
    given = sender.deposit(NAME.format(1), b'{"a":2}\n')
    path = f"{sender.signer.fingerprint}/{given.name}.{given.sha256}"
    assert stored(central)[path] == b'{"a":2}\n'
    with pytest.raises(Conflict):
        sender.deposit(NAME.format(1), b'{"a":1}\n')


MEASURED = """
import hashlib, io, resource, sys
from pathlib import Path
from appliance.central import places
from appliance.central.receiver import Receiver
from appliance.replication import claims

class Zeros(io.RawIOBase):
    left = int(sys.argv[3])
    def read(self, size=-1):
        size = min(size, self.left)
        self.left -= size
        return bytes(size)

central = places.open(Path(sys.argv[1]))
claim = claims.parse(bytes.fromhex(sys.argv[2]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
Receiver(central).deposit(claim, Zeros())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_large_segment_takes_little_memory(central: Central, tmp_path: Path) -> None:
    size = 200 << 20
    digest = hashlib.sha256()
    for _ in range(200):
        digest.update(bytes(1 << 20))
    sender = make_sender(central, tmp_path / "box")
    file = StoredFile("1400-0123456789abcdef-00000000.parquet", digest.hexdigest(), size)
    seal = seals.Seal(
        VaultName.TRAFFIC, DAY, "0123456789abcdef", "0123abcd", "1400-0123456789abcdef-00000000",
        1, 0, 1, (file,), (), (),
    )  # fmt: skip
    Chain(sender.box.home, sender.signer).append([seal])
    for name, content in sender.lines().items():
        sender.deposit(name, content)
    name = f"segments/traffic/2026-03-14/{file.name}"
    claim = claims.make(sender.signer, name, file.sha256, size)
    command = [sys.executable, "-c", MEASURED, str(central.folder), claim.render().hex(), str(size)]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    assert int(done.stdout) < 32 << 10  # KiB
    (row,) = [row for row in sender.rows() if row.kind == "segments"]
    assert row.size_bytes == size


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
@pytest.mark.parametrize("full", ["objects", "whole"])
def test_a_full_disk_counts_for_nothing_and_is_got_over(tmp_path: Path, full: str) -> None:
    def body() -> None:
        folder = tmp_path / "central"
        config = CentralConfig("Lyon", limits=LimitsConfig(free_mib=0))
        if full == "whole":
            folder.mkdir()
            mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder))
        central = places.create(folder, config, ("localhost",))
        sender = make_sender(central, tmp_path / "box")
        if full == "objects":
            mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder / "objects"))
            (folder / "objects" / ".new").mkdir()
        try:
            fill_and_recover(sender, folder / "objects" if full == "objects" else folder)
        finally:
            central.close()

    in_own_mounts(body)


def fill_and_recover(sender: Sender, disk: Path) -> None:
    """Deposits until the disk is full; then none counts; with room it goes on where it was."""
    content = b'{"a":"%s"}\n' % (b"x" * 60_000)
    taken, full = deposit_until_full(sender, content)
    assert refusal_of(full).status == HTTPStatus.INSUFFICIENT_STORAGE
    assert 0 < taken == len(sender.rows())
    mount("-o", "remount,size=8m", str(disk))
    assert sender.deposit(NAME.format(taken), content).sequence == taken + 1


def deposit_until_full(sender: Sender, content: bytes) -> tuple[int, StorageError]:
    """How many were taken, and how the next was not."""
    for taken in range(1000):
        try:
            sender.deposit(NAME.format(taken), content)
        except StorageError as error:
            return taken, error
    raise AssertionError("the disk is never full")
