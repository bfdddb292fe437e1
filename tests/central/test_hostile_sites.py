"""What a site that is enrolled, or a thief with its key, may send to make central stumble for others."""

import datetime as dt
import hashlib
import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from appliance.central import expiry, lines
from appliance.central.places import Central
from appliance.central.refusals import Unproven
from appliance.central.verifying import verify
from appliance.model.errors import StorageError
from appliance.replication import names
from appliance.vault import chain, envelopes
from tests.central.made_sites import Sender, events, make_sender, stored
from tests.central.servers import FOLDER, SERVERS

both = pytest.mark.parametrize("central_kind", [FOLDER, SERVERS], indirect=True)
AT = "2026-03-14T15:00:00.000000000Z"
RUN = "0123abcd"
KEY = "0123456789abcdef"


@pytest.fixture
def central_kind(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", FOLDER))


@pytest.fixture
def sender(central: Central, tmp_path: Path) -> Sender:
    """A site whose first line central has."""
    made = make_sender(central, tmp_path / "box")
    made.deposit(*next(iter(made.lines().items())))
    return made


class Thief:
    """Signs lines after the first one of a box."""

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self.number, self.head = 0, hashlib.sha256(next(iter(sender.lines().values()))).hexdigest()

    def send(self, **body: Any) -> None:
        fields = {"seq": self.number + 1, "prev": self.head, "at": AT, **body}
        fields["sig"] = self.sender.signer.sign(chain.PURPOSE, _canonical(fields))
        line = _canonical(fields) + b"\n"
        digest = hashlib.sha256(line).hexdigest()
        self.sender.deposit(names.of_line(self.number + 1, digest), line)
        self.number, self.head = self.number + 1, digest

    def seal(self, number: int, replaces: list[str]) -> str:
        file = f"1400-{KEY}-{number:08}.parquet"
        fixed = {"name": file, "sha256": "0" * 64, "size_bytes": 1}
        self.send(
            kind="seal", vault="traffic", day="2026-03-14", key_id=KEY, run=RUN, rows=1, name=file, first=AT,
            last=AT, files=[fixed], replaces=replaces, coverage=[],
        )  # fmt: skip
        return f"segments/traffic/2026-03-14/{file}"


def _canonical(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


JOURNAL = f"20260314T140000Z-{RUN}-1-{KEY}.journal"


@both
def test_the_lines_of_a_seal_are_found_by_one_query_however_many_they_are(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    thief = Thief(sender)
    asked: list[int] = []
    database: Any = sender.central.database
    execute = database.execute_sql

    def counted(*args: Any, **kwargs: Any) -> Any:
        asked[-1] += 1
        return execute(*args, **kwargs)

    monkeypatch.setattr(database, "execute_sql", counted)
    for count in (1, 12):
        asked.append(0)
        files = [thief.seal(number, []) for number in range(count)]
        asked.append(0)
        files.append(thief.seal(count, [JOURNAL]))
        asked.append(0)  # what the test itself asks
        sealed = {name: lines.seals_of(sender.central, sender.site, name) for name in files}
        assert all(thief.head in seals for seals in sealed.values())
    assert asked[1] == asked[4]


def test_a_seal_of_more_lines_than_any_box_writes_lets_nothing_go(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "_LINES_OF_A_SEAL", 3)
    for count, is_taken in ((3, True), (4, False)):
        thief = Thief(sender)
        files = [thief.seal(100 * count + number, []) for number in range(count)]
        thief.seal(100 * count + 99, [JOURNAL])
        assert [bool(lines.seals_of(sender.central, sender.site, name)) for name in files] == [
            is_taken
        ] * count


@both
def test_early_orders_of_a_day_are_one_event_of_bounded_size_and_no_fault(sender: Sender) -> None:
    thief = Thief(sender)
    order = {"kind": "destruction-ordered", "vault": "traffic", "day": dt.date.today().isoformat(), "now": AT}  # noqa: DTZ011
    keys = [f"{number:016x}" for number in range(20_000)]
    for years in (0, 1, 2, 99):
        thief.send(**order, key_ids=keys, term_years=years)
    (event,) = events(sender.central, "early-order")
    said = json.loads(event.line)
    assert said["key_count"] == len(keys)
    assert said["keys_sha256"] == hashlib.sha256("".join(keys).encode()).hexdigest()
    assert len(event.line) < 1024
    assert verify(sender.central).faults == ()


def test_an_order_is_judged_by_the_contract_and_not_by_the_term_it_names(sender: Sender) -> None:
    thief = Thief(sender)
    day = dt.date.today() - dt.timedelta(days=40)  # noqa: DTZ011
    thief.send(
        kind="destruction-ordered", vault="traffic", day=day.isoformat(), now=AT, key_ids=[KEY], term_years=0
    )
    assert len(events(sender.central, "early-order")) == 1
    assert not expiry.is_gone(sender.central.database, sender.site, names.VaultName.TRAFFIC, day)


@pytest.mark.parametrize("quorum", [0, -1, 1, 2])
def test_an_envelope_that_nobody_could_open_is_not_kept(sender: Sender, quorum: int) -> None:
    fields: dict[str, Any] = {
        "format": envelopes.FORMAT, "box": sender.signer.fingerprint, "vault": "traffic", "day": "2026-03-14",
        "key_id": KEY, "run": RUN, "quorum": quorum, "commitment": "0" * 64, "shares": [],
    }  # fmt: skip
    if quorum == 2:
        fields["shares"] = [{"recipient": "age1", "index": 1, "sealed": ""}]
    fields["signature"] = sender.signer.sign(envelopes.PURPOSE, _canonical(fields))
    before = stored(sender.central)
    with pytest.raises(Unproven, match="no quorum of its custodians"):
        sender.deposit(f"envelopes/traffic/2026-03-14/{KEY}.envelope", _canonical(fields) + b"\n")
    assert stored(sender.central) == before


def test_statistics_that_would_fill_memory_are_refused_unread(sender: Sender) -> None:
    content = b'{"a":[' + b"{}," * 300_000 + b"{}]}\n"
    tracemalloc.start()
    try:
        with pytest.raises(Unproven, match="more objects and lists"):
            sender.deposit("statistics/2026-03-14/0123abcd-1.jsonl", content)
        assert tracemalloc.get_traced_memory()[1] < 4 * len(content)
    finally:
        tracemalloc.stop()
    cells = [{"bytes": n, "place": f"access point {n}", "use": "web", "users": 3} for n in range(40_000)]
    sender.deposit("statistics/2026-03-14/0123abcd-2.jsonl", _canonical({"cells": cells, "users": 9}) + b"\n")
    with pytest.raises(Unproven):  # JSON in another encoding, of which every byte is ASCII
        sender.deposit("statistics/2026-03-14/0123abcd-3.jsonl", "{}\n".encode("utf-16-be")[:5] + b"\n")


def test_a_line_over_which_the_transaction_stumbles_leaves_no_bytes(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object) -> None:
        raise OverflowError

    before, rows = stored(sender.central), len(sender.rows())
    monkeypatch.setattr(lines, "follow", stumble)
    with pytest.raises(OverflowError):
        Thief(sender).seal(1, [])
    assert (stored(sender.central), len(sender.rows())) == (before, rows)


def test_a_disk_filled_with_envelopes_leaves_room_for_the_catalogue(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.record()
    ((envelope, content),) = sender.files("envelopes").items()
    ((journal, rows),) = sender.kept.items()
    reserve_bytes = sender.central.config.limits.free_mib << 20
    statvfs = os.statvfs
    free_bytes = 0

    def nearly_full(path: object) -> os.statvfs_result:
        found = list(statvfs(str(path)))
        found[4] = free_bytes // found[1]  # f_bavail, of f_frsize
        return os.statvfs_result(found)

    monkeypatch.setattr(os, "statvfs", nearly_full)
    for part, is_taken in ((8, False), (2, True)):
        free_bytes = reserve_bytes // part
        with pytest.raises(StorageError, match="as full as"):
            sender.deposit(journal, rows)
        if is_taken:
            sender.deposit(envelope, content)
        else:
            with pytest.raises(StorageError, match="as full as"):
                sender.deposit(envelope, content)
    assert sender.central.custody.get(
        f"{sender.signer.fingerprint}/{envelope}.{hashlib.sha256(content).hexdigest()}"
    )
