"""Many deposits at once, by threads and by processes: no gap in the numbers, and a name means one thing."""

import hashlib
import io
import itertools
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from appliance.central.objects import receipt_of
from appliance.central.places import Central
from appliance.central.receiver import Receiver
from appliance.replication import receipts
from appliance.replication.claims import Claim
from appliance.replication.receipts import NO_RECEIPT, Receipt
from appliance.replication.targets import Conflict
from tests.central.made_sites import Sender, events, make_sender, stored
from tests.central.servers import FOLDER, SERVERS

both = pytest.mark.parametrize("central_kind", [FOLDER, SERVERS], indirect=True)
NAME = "statistics/2026-03-14/{:08x}-1.jsonl"


@pytest.fixture
def central_kind(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", FOLDER))


def check_numbering(sender: Sender, given: list[Receipt]) -> None:
    """Numbered from 1 without a gap, each naming the hash of the one before; the rows say the same."""
    given = sorted(given, key=lambda receipt: receipt.sequence)
    previous = NO_RECEIPT
    for sequence, receipt in enumerate(given, start=1):
        assert (receipt.sequence, receipt.previous) == (sequence, previous)
        assert receipt.holds(sender.central.identity.key)
        previous = hashlib.sha256(receipt.render()).hexdigest()
    site = sender.site
    assert (site.receipts, site.receipts_head) == (len(given), previous)
    assert [receipt_of(sender.central.signer, site, row) for row in sender.rows()] == given


@both
def test_threads_share_a_receiver(central: Central, tmp_path: Path) -> None:
    senders = [make_sender(central, tmp_path / name) for name in "ab"]
    receiver = Receiver(central)

    def deposit(job: tuple[Sender, int]) -> tuple[Sender, Receipt]:
        sender, number = job
        content = b'{"number":%d}\n' % number
        return sender, receiver.deposit(sender.claim(NAME.format(number), content), io.BytesIO(content))

    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(deposit, itertools.product(senders, range(20))))
    for sender in senders:
        check_numbering(sender, [receipt for whose, receipt in given if whose is sender])


def at_once(*jobs: Callable[[], Receipt]) -> list[Receipt | Exception]:
    """Run each job in a thread of its own, all from one moment on; what came of each."""
    gate = threading.Barrier(len(jobs))

    def run(job: Callable[[], Receipt]) -> Receipt | Exception:
        gate.wait()
        try:
            return job()
        except Conflict as error:
            return error

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


class Slow(io.BytesIO):
    """Content that comes when all have begun to read: every deposit is past its first questions."""

    def __init__(self, content: bytes, gate: threading.Barrier) -> None:
        super().__init__(content)
        self._gate: threading.Barrier | None = gate

    def read(self, size: int | None = -1) -> bytes:
        if self._gate:
            self._gate.wait()
            self._gate = None
        return super().read(size)


def test_the_same_object_at_the_same_moment_has_one_receipt(central: Central, tmp_path: Path) -> None:
    sender = make_sender(central, tmp_path / "box")
    content, gate = b'{"a":1}\n', threading.Barrier(4)
    claim = sender.claim(NAME.format(1), content)
    came = at_once(*[lambda: sender.receiver.deposit(claim, Slow(content, gate))] * 4)
    assert len({receipt.render() for receipt in came if isinstance(receipt, Receipt)}) == 1
    assert all(isinstance(receipt, Receipt) for receipt in came)
    assert list(stored(central).values()) == [content]
    check_numbering(sender, [receipt for receipt in came[:1] if isinstance(receipt, Receipt)])


@both
def test_of_other_bytes_at_the_same_moment_one_has_a_receipt_and_lies_there(
    central: Central, tmp_path: Path
) -> None:
    sender = make_sender(central, tmp_path / "box")
    gate = threading.Barrier(4)
    contents = [b'{"a":%d}\n' % number for number in range(4)]
    claims_ = [sender.claim(NAME.format(1), content) for content in contents]

    def job(claim: Claim, content: bytes) -> Callable[[], Receipt]:
        return lambda: sender.receiver.deposit(claim, Slow(content, gate))

    came = at_once(*map(job, claims_, contents))
    (given,) = [receipt for receipt in came if isinstance(receipt, Receipt)]
    assert sum(isinstance(error, Conflict) for error in came) == 3
    path = f"{sender.signer.fingerprint}/{given.name}.{given.sha256}"
    assert hashlib.sha256(stored(central)[path]).hexdigest() == given.sha256


DEPOSITOR = """
import io, sys
from pathlib import Path
from appliance.central import places
from appliance.central.receiver import Receiver
from appliance.replication import claims

central = places.open(Path(sys.argv[1]))
receiver = Receiver(central)
for line in sys.stdin:
    claim, content = (bytes.fromhex(text) for text in line.split())
    print(receiver.deposit(claims.parse(claim), io.BytesIO(content)).render().hex(), flush=True)
central.close()
"""


@both
def test_processes_share_a_central(central: Central, tmp_path: Path) -> None:
    """Each deposits objects of its own, and some that the others deposit, too."""
    sender = make_sender(central, tmp_path / "box")
    contents = {NAME.format(number): b'{"number":%d}\n' % number for number in range(30)}
    asked = []
    for first in range(3):
        mine = [name for number, name in enumerate(contents) if number % 3 == first or number % 5 == 0]
        lines = [
            f"{sender.claim(name, contents[name]).render().hex()} {contents[name].hex()}" for name in mine
        ]
        asked.append("\n".join(lines) + "\n")
    command = [sys.executable, "-c", DEPOSITOR, str(central.folder)]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in asked
    ]
    with ThreadPoolExecutor(len(asked)) as pool:
        said = list(
            pool.map(
                lambda pair: pair[0].communicate(pair[1], timeout=60)[0], zip(running, asked, strict=True)
            )
        )
    assert [process.returncode for process in running] == [0, 0, 0]
    given = {line for text in said for line in text.split()}
    check_numbering(sender, [receipts.parse(bytes.fromhex(line)) for line in given])
    assert len(given) == len(contents)
    assert sorted(stored(central).values()) == sorted(contents.values())


def test_a_conflict_between_processes_is_told_once(central: Central, tmp_path: Path) -> None:
    sender = make_sender(central, tmp_path / "box")
    sender.deposit(NAME.format(1), b"{}\n")

    def collide(number: int) -> None:
        with pytest.raises(Conflict):
            Receiver(central).deposit(
                sender.claim(NAME.format(1), content := b'{"n":%d}\n' % number), io.BytesIO(content)
            )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(collide, range(8)))
    assert len(events(central, "conflict")) == 1
