"""Several processes of one central side by side on PostgreSQL and S3: they share all, so one may die."""

import hashlib
import io
import json
import os
import random
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.central import places
from appliance.config.replication import ReplicationConfig
from appliance.replication.https_target import HttpsTarget
from appliance.replication.targets import Unreachable
from tests.central.servers import S3, SERVERS, Postgresql, config_of
from tests.contracts.target_suite import STATISTICS, Site, Standing, enrol
from tests.system.central_boxes import Place

UNBRIDLED = ReplicationConfig(rate_kbit=10_000_000, floor_kbit=10_000_000)
PROCESSES, SITES, OBJECTS = 3, 8, 24


@pytest.fixture
def machines(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[places.Central, list[Place]]]:
    """Three machines with the same settings and the same key, and nothing else of their own."""
    central = places.create(tmp_path / "first", config_of(SERVERS, request), ["127.0.0.1"])
    copies = [tmp_path / f"machine{number}" for number in range(PROCESSES)]
    for copy in copies:
        shutil.copytree(central.folder, copy)
    found = [Place(copy) for copy in copies]
    try:
        for place in found[: getattr(request, "param", PROCESSES)]:
            place.start()
        yield central, found
    finally:
        for place in found:
            place.end(signal.SIGKILL)
        central.close()


class Client(threading.Thread):
    """One of two senders of a site: all objects in an order of its own; on failure it goes elsewhere."""

    def __init__(self, site: Site, where: list[Place], seed: int) -> None:
        super().__init__()
        self.site, self.where, self.chance = site, where, random.Random(seed)
        self.receipts: list[bytes] = []
        self.failures = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            numbers = list(range(OBJECTS))
            self.chance.shuffle(numbers)
            for number in numbers:
                self._send(STATISTICS.format(number), f'{{"number":{number}}}\n'.encode() * 50)
        except BaseException as error:  # noqa: BLE001 - told by the test
            self.error = error

    def _send(self, name: str, content: bytes) -> None:
        until = time.monotonic() + 60
        while True:
            place = self.chance.choice(self.where)
            target = HttpsTarget(place.url, self.site.standing.central.identity, UNBRIDLED)
            try:
                receipt = target.deposit(self.site.claim(name, content), io.BytesIO(content))
                self.receipts.append(receipt.render())
            except Unreachable:
                self.failures += 1
                assert time.monotonic() < until
            else:
                return
            finally:
                target.close()


def test_three_processes_eight_sites_and_one_is_killed(
    machines: tuple[places.Central, list[Place]], tmp_path: Path, s3: S3, postgresql: Postgresql
) -> None:
    central, found = machines
    standing = Standing(
        central, lambda: HttpsTarget(found[0].url, central.identity, UNBRIDLED), s3, postgresql
    )
    sites = [enrol(standing, tmp_path / f"box{number}") for number in range(SITES)]
    clients = [Client(site, found, 2 * n + twin) for n, site in enumerate(sites) for twin in (0, 1)]
    for client in clients:
        client.start()
    while sum(len(client.receipts) for client in clients) < SITES * OBJECTS // 2:
        time.sleep(0.01)
    found[1].end(signal.SIGKILL)
    for client in clients:
        client.join(120)
    for site in sites:
        site.target.close()
    assert not [client.error for client in clients if client.error or client.is_alive()]
    assert sum(client.failures for client in clients) > 0  # it was noticed, and got over
    for number, site in enumerate(sites):
        chained(site, clients[2 * number].receipts + clients[2 * number + 1].receipts)
    own = {path.name: path.stat().st_size for path in found[0].folder.iterdir()}
    assert own.pop("keeper.lock", 0) == 0  # held while one of this machine's processes keeps house
    assert own.pop("serving.lock") == 0  # and this by each of them
    assert set(own) == {"central.toml", "central.key", "identity.json", "tls"}


def chained(site: Site, answers: list[bytes]) -> None:
    """Every object has one receipt, whoever gave it; numbers without a gap, each naming the one before."""
    assert Counter(answers).most_common()[-1][1] == 2  # both clients got the very same bytes
    receipts = sorted((json.loads(answer) for answer in set(answers)), key=lambda said: said["sequence"])
    assert [said["sequence"] for said in receipts] == list(range(1, OBJECTS + 1))
    previous = "0" * 64
    by_sequence = {json.loads(answer)["sequence"]: answer for answer in answers}
    for said in receipts:
        assert said["previous"] == previous
        previous = hashlib.sha256(by_sequence[said["sequence"]]).hexdigest()
    assert site.standing.rows(site.id) == [(s["sequence"], s["name"], s["sha256"]) for s in receipts]
    assert site.kept() == {said["name"]: [said["sha256"]] for said in receipts}


def until_taken(site: Site, name: str, content: bytes) -> int:
    """As a box does: again and again, for a minute at most. The receipt's number."""
    end = time.monotonic() + 60
    while True:
        try:
            return site.deposit(name, content).sequence
        except Unreachable:
            assert time.monotonic() < end
            time.sleep(0.2)


@pytest.mark.parametrize("machines", [1], indirect=True)
def test_servers_restarted_beneath_a_central_are_waited_for(
    machines: tuple[places.Central, list[Place]], tmp_path: Path, s3: S3, postgresql: Postgresql
) -> None:
    """PostgreSQL, then S3: 'later' is said meanwhile, nothing is signed for, and then all goes on."""
    central, found = machines
    place = found[0]
    standing = Standing(central, lambda: HttpsTarget(place.url, central.identity, UNBRIDLED), s3, postgresql)
    site = enrol(standing, tmp_path / "box")
    site.deposit(STATISTICS.format(0), b'{"n":0}\n')
    for number, server in enumerate((postgresql, s3), start=1):
        name, content = STATISTICS.format(number), f'{{"n":{number}}}\n'.encode()
        server.stop()
        try:
            with pytest.raises(Unreachable):
                site.deposit(name, content)
            for pid in set(place.pids()) - {place.pid}:  # their successors begin while nobody answers
                os.kill(pid, signal.SIGKILL)
            time.sleep(3)
        finally:
            server.start()
        assert until_taken(site, name, content) == number + 1
    site.target.close()
    assert len(site.kept()) == len(site.standing.rows(site.id)) == 3
