"""What every target must do: take objects for good and sign for them, whatever stands behind it.

A target cannot be looked into; what it keeps is asked of the disk, of S3 by boto3 and of the catalogue by
sqlite3 or psql. Every test has a site of its own on one central.
"""

import dataclasses
import hashlib
import io
import json
import os
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance.central import enrolment
from appliance.central.places import Central
from appliance.model.errors import ReplicationError
from appliance.replication import claims, enrolments, names
from appliance.replication.claims import Claim
from appliance.replication.receipts import Receipt
from appliance.replication.targets import Conflict, Refused, Replaced, Target, TooEarly
from appliance.runtime.clock import now_ns
from appliance.vault import chain, signing
from tests.central.servers import S3, Postgresql
from tests.vault.made_homes import SOURCES, Box, make_box, traffic

STATISTICS = "statistics/2026-03-14/0123abcd-{}.jsonl"


@dataclass
class Standing:
    """A central that stands, however: `connect` gives a target of it, of the thread that asks."""

    central: Central
    connect: Callable[[], Target]
    s3: S3 | None = None
    postgresql: Postgresql | None = None

    def lying(self, site: str) -> dict[str, list[str]]:
        """Hashes of every version of every file of a site, custody among it, by its path."""
        found: dict[str, list[str]] = {}
        for path, content in self._in_buckets(site) if self.s3 else self._in_folders(site):
            found.setdefault(path, []).append(hashlib.sha256(content).hexdigest())
        return found

    def rows(self, site: str) -> list[tuple[int, str, str]]:
        """Sequence, name and hash of what the catalogue says was signed for."""
        which = f"FROM stored JOIN site ON site.id = site_id WHERE fingerprint = '{site}' ORDER BY sequence"
        if self.postgresql:
            said = self.postgresql.psql(
                self.central.config.catalogue, f"SELECT sequence, stored.name, encode(sha256, 'hex') {which}"
            )
            rows = [line.split("|") for line in said.splitlines()]
        else:
            beside = sqlite3.connect(f"file:{self.central.folder / 'catalogue.sqlite'}?mode=ro", uri=True)
            rows = beside.execute(f"SELECT sequence, stored.name, lower(hex(sha256)) {which}").fetchall()
            beside.close()
        return [(int(sequence), name, digest) for sequence, name, digest in rows]

    def _in_folders(self, site: str) -> Iterator[tuple[str, bytes]]:
        for room in ("objects", "custody"):
            for path in (self.central.folder / room).rglob("*"):
                if path.is_file() and (site in str(path) or ".new" in path.parts):
                    yield str(path.relative_to(self.central.folder / room)), path.read_bytes()

    def _in_buckets(self, site: str) -> Iterator[tuple[str, bytes]]:
        assert self.s3
        client = self.s3.client()
        for place in (self.central.config.store, self.central.config.custody):
            answer = client.list_object_versions(Bucket=place.bucket, Prefix=site)
            assert not answer.get("DeleteMarkers")
            assert not answer["IsTruncated"]
            for found in answer.get("Versions", []):
                which = {name: found[name] for name in ("Key", "VersionId")}
                yield found["Key"], client.get_object(Bucket=place.bucket, **which)["Body"].read()
        client.close()


@dataclass
class Site:
    """A box that is enrolled, and what it would send."""

    standing: Standing
    box: Box
    target: Target

    def __post_init__(self) -> None:
        self.signer = signing.load(self.box.home.signing_key)

    @property
    def id(self) -> str:
        return self.signer.fingerprint

    def claim(self, name: str, content: bytes) -> Claim:
        return claims.make(self.signer, name, hashlib.sha256(content).hexdigest(), len(content))

    def deposit(self, name: str, content: bytes) -> Receipt:
        return self.target.deposit(self.claim(name, content), io.BytesIO(content))

    def lines(self) -> list[tuple[str, bytes]]:
        whole = self.box.home.chain.read_bytes().splitlines(keepends=True)
        return [(names.of_line(n, hashlib.sha256(line).hexdigest()), line) for n, line in enumerate(whole)]

    def files(self, room: str) -> list[tuple[str, bytes]]:
        return [(str(p.relative_to(self.box.home.path)), p.read_bytes()) for p in self.box.files(room)]

    def record(self) -> list[tuple[str, bytes]]:
        """Record a little; the journal files as they were before they were sealed."""
        with self.box.recording() as (_, writer):
            writer.journal(traffic(20), SOURCES)
            journal = self.files("journal")
            writer.seal(traffic(20), SOURCES, ())
        return journal

    def kept(self) -> dict[str, list[str]]:
        """What lies there, by name: each file under the path that its own hash makes."""
        found = self.standing.lying(self.id)
        by_name = {}
        for path, hashes in found.items():
            site, _, rest = path.partition("/")
            name, _, digest = rest.rpartition(".")
            assert (site, [digest]) == (self.id, hashes), path
            by_name[name] = hashes
        return by_name


def enrol(standing: Standing, folder: Path) -> Site:
    """A new box, enrolled at a central, with a target to close."""
    box = make_box(folder)
    code = enrolment.new_code(standing.central, "Hotel du Port", {}, now_ns())
    line = chain.content(box.home).partition(b"\n")[0].decode("ascii")
    request = enrolments.request(signing.load(box.home.signing_key), "Hotel du Port", code, line)
    enrolment.admit(standing.central, request, now_ns())
    return Site(standing, box, standing.connect())


@pytest.fixture
def site(standing: Standing, tmp_path: Path) -> Iterator[Site]:
    """A box enrolled at the central that the target leads to."""
    made = enrol(standing, tmp_path / "box")
    yield made
    made.target.close()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class TargetSuite:
    """The contract of `targets.Target`."""

    def test_a_home_is_taken_whole_and_signed_for_in_a_chain(self, site: Site, tmp_path: Path) -> None:
        journal = site.record()
        sent = [*site.files("envelopes"), *journal, *site.lines(), *site.files("segments")]
        receipts = [site.deposit(name, content) for name, content in sent]
        assert [receipt.sequence for receipt in receipts] == list(range(1, len(sent) + 1))
        previous = "0" * 64
        for receipt, (name, content) in zip(receipts, sent, strict=True):
            said = json.loads(receipt.render())
            wanted = {"name": name, "sha256": sha256(content), "size_bytes": len(content), "site": site.id}
            assert wanted.items() <= said.items()
            assert said["previous"] == previous
            previous = sha256(receipt.render())
            assert openssl_verifies(site.standing.central.identity.key, receipt, tmp_path)
        assert site.standing.rows(site.id) == [
            (number, name, sha256(content)) for number, (name, content) in enumerate(sent, start=1)
        ]
        replaced = {name for name, _ in journal}
        assert site.kept() == {name: [sha256(content)] for name, content in sent if name not in replaced}
        for name, content in journal:
            with pytest.raises(Replaced):
                site.deposit(name, content)

    def test_the_same_bytes_give_the_same_receipt_however_often(self, site: Site) -> None:
        name, content = site.lines()[0]
        first = site.deposit(name, content)
        site.deposit(STATISTICS.format(1), b'{"a":1}\n')
        assert {site.deposit(name, content).render() for _ in range(3)} == {first.render()}
        assert [row[0] for row in site.standing.rows(site.id)] == [1, 2]
        assert site.kept()[name] == [sha256(content)]

    def test_other_bytes_under_a_name_are_a_conflict_and_the_first_stay(self, site: Site) -> None:
        name = STATISTICS.format(1)
        first = site.deposit(name, b'{"a":1}\n')
        with pytest.raises(Conflict):
            site.deposit(name, b'{"a":2}\n')
        assert site.kept() == {name: [sha256(b'{"a":1}\n')]}
        assert site.deposit(name, b'{"a":1}\n').render() == first.render()

    @pytest.mark.parametrize("size", [40, 3_000_000])
    def test_bytes_that_are_not_as_claimed_leave_nothing(self, site: Site, size: int) -> None:
        content = b'{"a":1}\n' * (size // 8)
        name = STATISTICS.format(1)
        claim = site.claim(name, content)
        damaged = bytearray(content)
        damaged[size // 2] ^= 1
        with pytest.raises(Refused):
            site.target.deposit(claim, io.BytesIO(damaged))
        with pytest.raises(ReplicationError):
            site.target.deposit(claim, io.BytesIO(content[:-1]))
        assert site.standing.lying(site.id) == {}
        assert site.standing.rows(site.id) == []
        assert site.target.deposit(claim, io.BytesIO(content)).sequence == 1
        assert site.kept() == {name: [sha256(content)]}

    def test_a_damaged_segment_leaves_nothing(self, site: Site) -> None:
        site.record()
        for name, content in site.lines():
            site.deposit(name, content)
        before = site.standing.lying(site.id)
        name, content = site.files("segments")[0]
        damaged = content[:-1] + bytes([content[-1] ^ 1])
        with pytest.raises(Refused):
            site.target.deposit(site.claim(name, content), io.BytesIO(damaged))
        with pytest.raises(Refused):
            site.deposit(name, damaged)  # well claimed, and not what the seal fixes
        assert site.standing.lying(site.id) == before
        assert site.deposit(name, content)

    def test_what_rests_on_something_that_has_not_come_is_too_early(self, site: Site) -> None:
        site.record()
        lines, segment = site.lines(), site.files("segments")[0]
        for name, content in (*lines[1:3], segment):
            with pytest.raises(TooEarly):
                site.deposit(name, content)
        assert site.standing.lying(site.id) == {}
        for name, content in (*lines, segment):
            site.deposit(name, content)
        assert len(site.standing.rows(site.id)) == len(lines) + 1

    def test_strangers_and_forgers_leave_nothing(self, site: Site, tmp_path: Path) -> None:
        name, content = STATISTICS.format(1), b'{"a":1}\n'
        good = site.claim(name, content)
        stranger = signing.signer(signing.generate())
        digest = sha256(content)
        wrong = [
            claims.make(stranger, name, digest, len(content)),
            dataclasses.replace(claims.make(stranger, name, digest, len(content)), site=site.id),
            dataclasses.replace(good, size_bytes=len(content) + 1),
            dataclasses.replace(good, name=STATISTICS.format(2)),
            dataclasses.replace(good, sha256="0" * 64),
            dataclasses.replace(good, signature="0" * 128),
        ]
        for claim in wrong:
            with pytest.raises(Refused):
                site.target.deposit(claim, io.BytesIO(content + b"\n"))
        for found in (site.id, stranger.fingerprint):
            assert site.standing.lying(found) == {}
            assert site.standing.rows(found) == []

    def test_a_name_that_no_box_writes_is_refused(self, site: Site) -> None:
        for name in ("../../etc/passwd", "central.key", "segments/traffic/2026-03-14/../x.parquet", ""):
            with pytest.raises(Refused):
                site.deposit(name, b"x")
        assert site.standing.lying(site.id) == {}

    def test_no_site_touches_what_another_has(self, site: Site, tmp_path: Path) -> None:
        """The same name, other bytes, of two sites: two objects. And nobody signs for somebody else."""
        name = STATISTICS.format(1)
        other = enrol(site.standing, tmp_path / "other")
        site.deposit(name, b'{"a":1}\n')
        assert other.deposit(name, b'{"a":2}\n').sequence == 1
        assert site.kept() == {name: [sha256(b'{"a":1}\n')]}
        assert other.kept() == {name: [sha256(b'{"a":2}\n')]}
        forged = dataclasses.replace(other.claim(STATISTICS.format(2), b'{"a":3}\n'), site=site.id)
        with pytest.raises(Refused):
            other.target.deposit(forged, io.BytesIO(b'{"a":3}\n'))
        other.target.close()

    def test_a_large_object_comes_whole(self, site: Site) -> None:
        """A journal file with its true header and 24 MiB behind it."""
        name, head = site.record()[0]
        content = head[: head.index(b"\n") + 1] + os.urandom(24 << 20)
        receipt = site.deposit(name, content)
        assert (receipt.size_bytes, receipt.sha256) == (len(content), sha256(content))
        assert site.kept() == {name: [sha256(content)]}

    def test_many_at_once_are_numbered_without_a_gap_and_kept_once(self, site: Site) -> None:
        """Six connections, each with ten objects of its own and ten that all of them send."""
        shared = [(STATISTICS.format(n), f'{{"shared":{n}}}\n'.encode()) for n in range(10)]
        receipts: list[Receipt] = []
        failed: list[BaseException] = []

        def work(worker: int) -> None:
            target = site.standing.connect()
            try:
                for n in range(10):
                    own = (STATISTICS.format(1000 * (worker + 1) + n), f'{{"own":{worker}}}\n'.encode())
                    for name, content in (own, shared[(n + worker) % 10]):
                        receipts.append(target.deposit(site.claim(name, content), io.BytesIO(content)))
            except BaseException as error:  # noqa: BLE001 - told below
                failed.append(error)
            finally:
                target.close()

        run_threads(work, 6)
        assert not failed
        assert len(receipts) == 120
        by_sequence = {receipt.sequence: receipt for receipt in receipts}
        assert sorted(by_sequence) == list(range(1, 71))
        assert len({receipt.render() for receipt in receipts}) == 70
        previous = "0" * 64
        for _, receipt in sorted(by_sequence.items()):
            assert receipt.previous == previous
            previous = sha256(receipt.render())
        assert [row[:2] for row in site.standing.rows(site.id)] == [
            (sequence, receipt.name) for sequence, receipt in sorted(by_sequence.items())
        ]
        assert len(site.kept()) == 70

    def test_of_two_contents_for_one_name_at_one_moment_one_wins_and_it_is_that_which_stays(
        self, site: Site
    ) -> None:
        contents = [f'{{"version":{n}}}\n'.encode() * 1000 for n in range(4)]
        outcomes: list[tuple[str, str]] = []

        def work(worker: int) -> None:
            target = site.standing.connect()
            content = contents[worker]
            try:
                for n in range(5):
                    name = STATISTICS.format(n)
                    try:
                        target.deposit(site.claim(name, content), io.BytesIO(content))
                        outcomes.append((name, sha256(content)))
                    except Conflict:
                        outcomes.append((name, "conflict"))
            finally:
                target.close()

        run_threads(work, 4)
        assert len(outcomes) == 20
        won = {name: digest for name, digest in outcomes if digest != "conflict"}
        assert sum(digest == "conflict" for _, digest in outcomes) == 15
        assert site.kept() == {name: [digest] for name, digest in won.items()}
        assert {(name, digest) for _, name, digest in site.standing.rows(site.id)} == set(won.items())


def run_threads(work: Callable[[int], None], count: int) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
        assert not thread.is_alive()


def openssl_verifies(key: str, receipt: Receipt, folder: Path) -> bool:
    """Whether openssl finds it signed by this Ed25519 key, put into the form of RFC 8410 section 4."""
    said = json.loads(receipt.render())
    signature = bytes.fromhex(said.pop("sig"))
    message = b"greffier receipt 1\n" + json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    der = bytes.fromhex("302a300506032b6570032100" + key)
    files = {"key": der, "message": message, "signature": signature}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    done = subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key", "-keyform", "DER", "-rawin",
         "-in", "message", "-sigfile", "signature"],
        cwd=folder, capture_output=True, timeout=30,
    )  # fmt: skip
    return done.returncode == 0
