"""`kill -9` of a central at work: behind every receipt that left it lie its bytes, and its row.

Judged by hashlib over the files and by plain SQL. What must be on the disk before a receipt leaves, for the
sake of a power cut, is the word of strace: tests/central/ has it.
"""

import contextlib
import http.client
import json
import random
import signal
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from appliance.runtime.clock import now_ns
from appliance.vault.names import VaultName
from bench.central_places import admit
from bench.central_sites import Deposit, Site
from tests.system import custody_judge
from tests.system.central_boxes import Place
from tests.system.custody_judge import sha256_of

SITES = 6
KILLS = 8


class Sender(threading.Thread):
    """One site that sends without end, whatever happens to central, and keeps every receipt."""

    def __init__(self, site: Site, place: Place, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.site = site
        self.receipts: dict[str, list[bytes]] = {}
        self.statuses: set[int] = set()
        self._ended = stop
        self._place = place
        self._trust = ssl.create_default_context(cafile=str(place.folder / "tls" / "ca.pem"))

    def run(self) -> None:
        chance = random.Random(self.site.number)
        with contextlib.closing(self._open()) as line:
            for deposit in self._endless(chance):
                receipt = None
                while receipt is None:
                    if self._ended.is_set():
                        return
                    try:
                        receipt = self._put(line, deposit)
                    except (OSError, http.client.HTTPException):
                        line.close()  # the next request opens it anew
                        time.sleep(0.05)
                self.receipts.setdefault(deposit.name, []).append(receipt)

    def _endless(self, chance: random.Random) -> Iterator[Deposit]:
        sent = self.site.opening()
        yield from sent
        while True:
            made = self.site.hour() if chance.random() < 0.1 else [self._journal(chance)]
            for deposit in made:
                sent.append(deposit)
                yield deposit
            if chance.random() < 0.2:
                yield chance.choice(sent)  # the same again: the same receipt

    def _journal(self, chance: random.Random) -> Deposit:
        return self.site.journal(chance.choice(list(VaultName)), now_ns())

    def _open(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self._place.port, timeout=20, context=self._trust)

    def _put(self, line: http.client.HTTPSConnection, deposit: Deposit) -> bytes | None:
        headers = {"Greffier-Claim": deposit.claim}
        line.request("PUT", "/v1/objects", deposit.head + bytes(deposit.tail), headers)
        answer = line.getresponse()
        body = answer.read()
        self.statuses.add(answer.status)
        return body if answer.status == 200 else None


def test_no_receipt_without_its_bytes(tmp_path: Path) -> None:
    chance = random.Random(11)
    place = Place.new(tmp_path / "lyon", "Lyon")
    sites = [Site(number) for number in range(SITES)]
    admit(place.folder, sites)
    stop = threading.Event()
    senders = [Sender(site, place, stop) for site in sites]
    place.start()
    try:
        for sender in senders:
            sender.start()
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.2, 1.2))
            place.end(signal.SIGKILL)
            place.start()
        time.sleep(1)
    finally:
        stop.set()
        place.end(signal.SIGKILL)
    for sender in senders:
        sender.join(timeout=30)
    key = json.loads((place.folder / "identity.json").read_bytes())["key"]
    given = 0
    for sender in senders:
        assert sender.statuses <= {200, 503}
        site = sender.site.signer.fingerprint
        holdings = custody_judge.at_central(place.folder, site)
        assert holdings.wrong == []
        receipts = [receipt for several in sender.receipts.values() for receipt in several]
        assert custody_judge.wrong_receipts(receipts, key, site, holdings) == []
        assert custody_judge.wrong_numbering(receipts) == []
        assert all(len(set(several)) == 1 for several in sender.receipts.values())
        assert custody_judge.wrong_chain(place.folder, site) == []
        given += len(receipts)
    assert given > 200, "too little was asked of it"


def test_the_judge_sees_what_is_wrong(tmp_path: Path) -> None:
    """Bytes that are gone, changed or strange are told: the judge of these tests is not blind."""
    place = Place.new(tmp_path / "lyon", "Lyon")
    site = Site(0)
    admit(place.folder, [site])
    sender = Sender(site, place, threading.Event())
    place.start()
    try:
        with contextlib.closing(sender._open()) as line:
            for deposit in [*site.opening(), *site.hour()]:
                assert sender._put(line, deposit)
    finally:
        place.end()
    fingerprint = site.signer.fingerprint
    assert custody_judge.at_central(place.folder, fingerprint).wrong == []
    files = sorted((place.folder / "objects" / fingerprint).rglob("*.parquet.*"))
    content = bytearray(files[0].read_bytes())
    content[len(content) // 2] ^= 1
    files[0].write_bytes(bytes(content))
    files[1].rename(files[1].with_name("2300-stray.parquet." + sha256_of(b"")))
    found = custody_judge.at_central(place.folder, fingerprint)
    assert len(found.wrong) == 2
    assert len(found.stray) == 1
