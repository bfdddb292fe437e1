"""The receiver: what it takes, what it refuses, and that a receipt means what it says."""

import dataclasses
import datetime as dt
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from appliance.central import erasures, sites
from appliance.central.places import Central
from appliance.central.receiver import Receiver
from appliance.central.refusals import Malformed, NotAuthorised, TooLarge, Unproven
from appliance.central.stores.directory import DirectoryStore
from appliance.central.tables import Line, Site, Stored
from appliance.model.errors import StorageError
from appliance.model.instants import DAY_NS
from appliance.replication import claims, names
from appliance.replication.receipts import NO_RECEIPT
from appliance.replication.targets import Conflict, Refused, Replaced, TooEarly
from appliance.runtime.clock import now_ns
from appliance.vault import chain, envelopes, seals, signing
from appliance.vault.chain import Chain
from tests.central.made_sites import Sender, events, make_sender, stored
from tests.central.servers import FOLDER, SERVERS
from tests.vault.made_homes import DAY, SOURCES, run_that_dies, traffic


class Meanwhile(io.BytesIO):
    """Content during whose coming something else happens."""

    def __init__(self, content: bytes, happens: Callable[[], object]) -> None:
        super().__init__(content)
        self._happens: Callable[[], object] | None = happens

    def read(self, size: int | None = -1) -> bytes:
        happens, self._happens = self._happens, None
        if happens:
            happens()
        return super().read(size)


both = pytest.mark.parametrize("central_kind", [FOLDER, SERVERS], indirect=True)
"""On a folder and SQLite, and on S3 and PostgreSQL; the other tests are of what both share."""


@pytest.fixture
def central_kind(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", FOLDER))


class Untouchable(io.BytesIO):
    """Content that must not be looked at."""

    def read(self, *_: object) -> bytes:
        raise AssertionError("the content was read")


@pytest.fixture
def sender(central: Central, tmp_path: Path) -> Sender:
    made = make_sender(central, tmp_path / "box")
    made.record()
    return made


@both
def test_a_whole_home_is_taken_and_each_receipt_follows_from_the_one_before(sender: Sender) -> None:
    sent = dict(sender.everything())
    receipts = sender.send_everything()
    previous = NO_RECEIPT
    for sequence, (receipt, (name, content)) in enumerate(zip(receipts, sent.items(), strict=True), start=1):
        assert (receipt.sequence, receipt.name, receipt.previous) == (sequence, name, previous)
        assert (receipt.sha256, receipt.size_bytes) == (hashlib.sha256(content).hexdigest(), len(content))
        assert receipt.holds(sender.central.identity.key)
        previous = hashlib.sha256(receipt.render()).hexdigest()
    site = sender.site
    assert (site.receipts, site.receipts_head) == (len(sent), previous)
    replaced = set(sender.kept)  # by the segment, whose every file is there now
    expected = {
        f"{site.fingerprint}/{name}.{hashlib.sha256(content).hexdigest()}": content
        for name, content in sent.items()
        if name not in replaced
    }
    assert replaced
    assert stored(sender.central) == expected


@both
def test_the_same_bytes_again_give_the_same_receipt_and_are_not_stored(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = {receipt.name: receipt.render() for receipt in sender.send_everything()}
    before = stored(sender.central)

    def refuse(path: str, *_: object) -> None:
        raise AssertionError(f"{path} was stored again")

    monkeypatch.setattr(sender.central.store, "put", refuse)
    monkeypatch.setattr(sender.central.custody, "put", refuse)
    kept = {name: content for name, content in sender.everything() if name not in sender.kept}
    for name, content in kept.items():
        source = io.BytesIO(content)
        again = sender.receiver.deposit(sender.claim(name, content), source)
        assert again.render() == first[name]
        assert source.tell() == len(content)
    assert stored(sender.central) == before
    assert len(sender.rows()) == len(first)


@both
def test_other_bytes_under_a_name_are_a_conflict_that_is_told_once_and_changes_nothing(
    sender: Sender,
) -> None:
    name, content = next(iter(sender.kept.items()))
    receipt = sender.deposit(name, content)
    before = stored(sender.central)
    for _ in range(2):
        with pytest.raises(Conflict):
            sender.deposit(name, content + b"more")
    assert stored(sender.central) == before
    assert sender.deposit(name, content) == receipt
    (event,) = events(sender.central, "conflict")
    told = json.loads(event.line)
    assert (told["name"], told["stored"]) == (name, hashlib.sha256(content).hexdigest())
    assert claims.parse(told["claim"].encode()).holds(sender.signer.box)


@pytest.mark.parametrize("change", ["shorter", "longer", "other"])
def test_bytes_that_are_not_as_claimed_leave_nothing(sender: Sender, change: str) -> None:
    for name, content in sender.everything():
        if name.startswith("segments/"):
            continue
        wrong = {"shorter": content[:-1], "longer": content + b"\n", "other": bytes(len(content))}[change]
        before = stored(sender.central)
        with pytest.raises(Refused):
            sender.receiver.deposit(sender.claim(name, content), io.BytesIO(wrong))
        assert stored(sender.central) == before
        assert not [row for row in sender.rows() if row.name == name]
        sender.deposit(name, content)


@pytest.mark.parametrize("change", ["shorter", "other"])
def test_a_segment_that_is_not_as_claimed_leaves_nothing(sender: Sender, change: str) -> None:
    for name, content in sender.lines().items():
        sender.deposit(name, content)
    name, content = next(iter(sender.files("segments").items()))
    wrong = content[:-1] if change == "shorter" else bytes(len(content))
    with pytest.raises(Unproven):
        sender.receiver.deposit(sender.claim(name, content), io.BytesIO(wrong))
    assert not [path for path in stored(sender.central) if "/segments/" in path]
    sender.deposit(name, content)


def test_whoever_is_not_a_site_learns_nothing_and_is_not_read(
    sender: Sender, central: Central, tmp_path: Path
) -> None:
    name, content = next(iter(sender.kept.items()))
    other, ended = make_sender(central, tmp_path / "other"), make_sender(central, tmp_path / "ended")
    Site.update(state=sites.ENDING).where(Site.id == ended.site.id).execute(central.database)
    stranger = signing.signer(signing.generate())
    digest = hashlib.sha256(content).hexdigest()
    mine = sender.claim(name, content)
    hostile = [
        claims.make(stranger, name, digest, len(content)),
        ended.claim(name, content),
        dataclasses.replace(mine, signature=other.claim(name, content).signature),
        dataclasses.replace(other.claim(name, content), site=sender.signer.fingerprint),
        dataclasses.replace(mine, site=other.signer.fingerprint),
        dataclasses.replace(mine, size_bytes=len(content) - 1),
        dataclasses.replace(mine, name=next(iter(sender.lines()))),
    ]
    said = set()
    for claim in hostile:
        with pytest.raises(NotAuthorised) as refused:
            sender.receiver.deposit(claim, Untouchable())
        said.add((type(refused.value), str(refused.value)))
    assert len(said) == 1
    assert stored(central) == {}


def test_two_sites_may_have_objects_of_one_name(sender: Sender, central: Central, tmp_path: Path) -> None:
    other = make_sender(central, tmp_path / "other")
    name = "statistics/2026-03-14/0123abcd-1.jsonl"
    mine, theirs = b'{"hour":1}\n', b'{"hour":2}\n'
    sender.deposit(name, mine)
    assert other.deposit(name, theirs).sequence == 1
    paths = stored(central)
    assert sorted(paths.values()) == [mine, theirs]
    assert {path.partition("/")[0] for path in paths} == {sender.signer.fingerprint, other.signer.fingerprint}


@pytest.mark.parametrize(
    "name",
    [
        "statistics/2026-03-14/../../x.jsonl",
        "/statistics/2026-03-14/0123abcd-1.jsonl",
        "../statistics/2026-03-14/0123abcd-1.jsonl",
        "statistics/2026-03-14/0123abcd-1.jsonl\n",
        "statistics/2026-03-14/0123abcd-1.jsonl\0",
        "statistics/2026-03-14/0123ABCD-1.jsonl",
        "Statistics/2026-03-14/0123abcd-1.jsonl",
        "statistics/٢٠٢٦-03-14/0123abcd-1.jsonl",
        "statistics/2026-02-30/0123abcd-1.jsonl",
        "journal/identity/2026-03-14/20260314T150000Z-0123abcd-1-0123456789abcdef.journal",
        "f" * 64 + "/chain/000000000000-0123456789abcdef",
        "",
    ],
)
def test_a_name_that_no_box_writes_goes_nowhere(sender: Sender, name: str) -> None:
    claim = claims.make(sender.signer, name, "0" * 64, 1)
    with pytest.raises(Malformed):
        sender.receiver.deposit(claim, Untouchable())


def test_what_is_too_large_is_not_read(sender: Sender) -> None:
    limits_mib = {"envelopes": 0.25, "journal": 80, "chain": 1, "statistics": 8, "segments": 4096}
    names_ = {name.partition("/")[0]: name for name, _ in sender.everything()}
    names_["statistics"] = "statistics/2026-03-14/0123abcd-1.jsonl"
    assert set(names_) == set(limits_mib)
    for kind, name in names_.items():
        claim = claims.make(sender.signer, name, "0" * 64, int(limits_mib[kind] * 2**20) + 1)
        with pytest.raises(TooLarge):
            sender.receiver.deposit(claim, Untouchable())


def test_what_rests_on_something_waits_for_it(sender: Sender) -> None:
    lines = list(sender.lines().items())
    for name, content in [*lines[1:], *sender.files("segments").items()]:
        with pytest.raises(TooEarly):
            sender.deposit(name, content)
    assert stored(sender.central) == {}
    assert sender.send_everything()


@both
def test_a_journal_goes_when_every_file_of_its_seal_is_there_and_not_before(sender: Sender) -> None:
    *most, (last, content) = sender.everything()
    assert last.startswith("segments/")
    (journal,) = sender.kept
    for name, bytes_ in most:
        sender.deposit(name, bytes_)
    assert sender.deposit(journal, sender.kept[journal])
    sender.deposit(last, content)
    with pytest.raises(Replaced):
        sender.deposit(journal, sender.kept[journal])
    assert not [path for path in stored(sender.central) if "/journal/" in path]
    assert [row.state for row in sender.rows() if row.name == journal] == ["replaced"]
    with pytest.raises(Conflict):  # and still its name means no other bytes
        sender.deposit(journal, sender.kept[journal] + b"more")


def test_a_journal_that_comes_after_its_segment_is_not_stored(sender: Sender) -> None:
    (journal,) = sender.kept
    for name, content in sender.everything():
        if name != journal:
            sender.deposit(name, content)
    with pytest.raises(Replaced):
        sender.receiver.deposit(sender.claim(journal, sender.kept[journal]), Untouchable())
    assert not [path for path in stored(sender.central) if "/journal/" in path]


@both
def test_what_comes_true_while_the_bytes_come_counts(sender: Sender) -> None:
    """A journal on its way when its segment is whole; an adopted one when its line says other bytes."""
    (journal,) = sender.kept
    *most, (last, content) = (item for item in sender.everything() if item[0] != journal)
    for name, bytes_ in most:
        sender.deposit(name, bytes_)
    slow = Meanwhile(sender.kept[journal], lambda: sender.deposit(last, content))
    with pytest.raises(Replaced):
        sender.receiver.deposit(sender.claim(journal, sender.kept[journal]), slow)
    run_that_dies(sender.box, traffic(5))
    with sender.box.recording():
        pass
    ((adopted, as_fixed),) = sender.files("journal").items()
    other = as_fixed + b"more"

    def fix() -> None:
        for name, line in sender.lines().items():
            sender.deposit(name, line)

    with pytest.raises(Unproven):
        sender.receiver.deposit(sender.claim(adopted, other), Meanwhile(other, fix))
    assert not [path for path in stored(sender.central) if "/journal/" in path]
    assert not [row for row in sender.rows() if row.kind == "journal"]
    assert sender.deposit(adopted, as_fixed)


def test_a_seal_of_two_days_is_whole_with_both(central: Central, tmp_path: Path) -> None:
    sender = make_sender(central, tmp_path / "box")
    with sender.box.recording() as (_, writer):
        parts = [traffic(5, day=day) for day in (DAY - dt.timedelta(days=1), DAY)]
        for rows in parts:
            writer.journal(rows, SOURCES)
        sender.kept.update(sender.files("journal"))
        writer.seal(np.concatenate(parts), SOURCES, ())
    assert {name.split("/")[2] for name in sender.kept} == {"2026-03-13", "2026-03-14"}
    everything = dict(sender.everything())
    # The day of the seal's first line comes last: its last line, which names the journals, has all its files.
    last = next(name for name in everything if name.startswith("segments/traffic/2026-03-13/"))
    for name in [*(name for name in everything if name != last), last]:
        assert {row.state for row in sender.rows()} <= {"kept"}
        sender.deposit(name, everything[name])
    assert {row.name for row in sender.rows() if row.state == "replaced"} == set(sender.kept)


def test_the_journal_of_a_run_that_died_stays(central: Central, tmp_path: Path) -> None:
    sender = make_sender(central, tmp_path / "box")
    run_that_dies(sender.box, traffic(5))
    with sender.box.recording():
        pass
    (journal,) = sender.files("journal").items()
    for name, content in [*sender.files("envelopes").items(), *sender.lines().items(), journal]:
        sender.deposit(name, content)
    name, content = journal
    assert [row.state for row in sender.rows() if row.name == name] == ["kept"]


def test_an_adopted_journal_is_taken_only_as_the_chain_fixed_it(central: Central, tmp_path: Path) -> None:
    sender = make_sender(central, tmp_path / "box")
    run_that_dies(sender.box, traffic(5))
    with sender.box.recording():
        pass
    ((name, content),) = sender.files("journal").items()
    for line, bytes_ in sender.lines().items():
        sender.deposit(line, bytes_)
    with pytest.raises(Unproven):
        sender.deposit(name, content + b"more")
    sender.deposit(name, content)


def test_a_line_that_fixes_what_is_stored_otherwise_is_told(central: Central, tmp_path: Path) -> None:
    sender = make_sender(central, tmp_path / "box")
    run_that_dies(sender.box, traffic(5))
    with sender.box.recording():
        pass
    ((name, content),) = sender.files("journal").items()
    sender.deposit(name, content[:-1])  # a claim made too soon: the file's last byte had not come
    for line, bytes_ in sender.lines().items():
        sender.deposit(line, bytes_)
    (event,) = events(central, "mismatch")
    told = json.loads(event.line)
    assert (told["name"], told["fixed"]) == (name, hashlib.sha256(content).hexdigest())


@both
def test_a_box_that_was_rolled_back_keeps_both_its_chains_here_and_is_told_of_once(
    sender: Sender, tmp_path: Path
) -> None:
    copy = sender.box.copy_to(tmp_path / "yesterday")
    sender.record()
    sender.send_everything()
    rolled_back = Sender(sender.central, copy)
    for _ in range(2):
        rolled_back.record()
    lines = {**sender.lines(), **rolled_back.lines()}
    for name, content in rolled_back.everything():
        rolled_back.deposit(name, content)
    (event,) = events(sender.central, "fork")
    seq = json.loads(event.line)["number"]
    beside = [name for name in lines if int(name[6:18]) == seq]
    assert len(beside) == 2
    kept = {row.name for row in sender.rows() if row.kind == "chain"}
    assert kept == set(lines)
    assert Line.select().where(Line.seq == seq).count(sender.central.database) == 2


def hostile_lines(sender: Sender) -> dict[str, bytes]:
    """Lines after the first, each wrong in one way and signed by the box where it is not that."""
    first = next(iter(sender.lines().values()))
    good = {"seq": 1, "prev": hashlib.sha256(first).hexdigest(), "at": "2026-03-14T15:00:00.000000000Z"}
    body = seals.to_json(seals.Repair(1))
    file = {"name": "1400-0123456789abcdef-00000000.parquet", "sha256": "0" * 64, "size_bytes": 1}
    seal = {
        "vault": "traffic",
        "day": "2026-03-14",
        "key_id": "0123456789abcdef",
        "run": "0" * 8,
        "rows": 1,
        "name": "x",
        "first": good["at"],
        "last": good["at"],
        "files": [file],
        "replaces": [],
        "coverage": [],
        "kind": "seal",
    }
    order = {
        "kind": "destruction-ordered",
        "vault": "traffic",
        "day": "2026-03-14",
        "key_ids": ["0123456789abcdef"],
        "term_years": 1,
        "now": good["at"],
    }
    late = {"name": file["name"], "sha256": "0" * 64, "size_bytes": 1}
    wrong = {
        "term beyond every calendar": {**good, **order, "term_years": 10**4},
        "term beyond every number": {**good, **order, "term_years": 10**10},
        "term before its day": {**good, **order, "term_years": -1},
        "term in words": {**good, **order, "term_years": "1"},
        "order of no vault": {**good, **order, "vault": None, "term_years": 0},
        "order of no day": {**good, **order, "day": None},
        "order at the end of all days": {**good, **order, "day": "9999-12-31"},
        "order of no keys": {**good, **order, "key_ids": None},
        "order of other keys": {**good, **order, "key_ids": [[1]]},
        "written before time": {**good, **body, "at": "0001-01-01T00:00:00.000000000Z"},
        "written after time": {**good, **body, "at": "9999-12-31T99:00:00.000000000Z"},
        "seal of the last day": {**good, **seal, "day": "9999-12-31", "files": [late]},
        "number": {**good, **body, "seq": 2},
        "text as number": {**good, **body, "seq": "1"},
        "truth as number": {**good, **body, "seq": True},
        "no predecessor": {**good, **body, "prev": None},
        "second beginning": {**good, **seals.to_json(chain.first(sender.box.home).body)},
        "unknown kind": {**good, "kind": "gift"},
        "foreign field": {**good, **body, "more": 1},
        "instant": {**good, **body, "at": "yesterday"},
        "other key's file": {**good, **seal, "key_id": "f" * 16},
        "file elsewhere": {**good, **seal, "files": [{**file, "name": "../../x"}]},
        "file of a huge size": {**good, **seal, "files": [{**file, "size_bytes": 2**70}]},
        "file without hash": {**good, **seal, "files": [{**file, "sha256": ["a"]}]},
        "no journal": {**good, **seal, "replaces": ["chain.jsonl"]},
        "no day": {**good, **seal, "day": None},
    }
    found = {}
    for why, fields in wrong.items():
        signed = {**fields, "sig": sender.signer.sign(chain.PURPOSE, _canonical(fields))}
        found[why] = _canonical(signed) + b"\n"
    found["unsigned"] = _canonical({**good, **body, "sig": "0" * 128}) + b"\n"
    found["no signature"] = _canonical({**good, **body}) + b"\n"
    whole = {**good, **body, "sig": sender.signer.sign(chain.PURPOSE, _canonical({**good, **body}))}
    found["spaced"] = json.dumps(whole, sort_keys=True).encode() + b"\n"
    found["no end"] = _canonical(whole)
    return found


def test_a_line_that_is_wrong_in_any_way_is_refused(sender: Sender) -> None:
    first, content = next(iter(sender.lines().items()))
    sender.deposit(first, content)
    before = stored(sender.central)
    for why, line in hostile_lines(sender).items():
        digest = hashlib.sha256(line).hexdigest()
        seq = 2 if why == "number" else 1
        with pytest.raises(Unproven):
            sender.deposit(names.of_line(seq, digest), line)
    with pytest.raises(Unproven):  # right in itself, under a name that is not its own
        sender.deposit("chain/000000000000-0123456789abcdef", content)
    assert stored(sender.central) == before


def test_an_envelope_or_a_journal_under_another_name_is_refused(sender: Sender, tmp_path: Path) -> None:
    other = make_sender(sender.central, tmp_path / "other")
    other.record()
    for files in (other.files("envelopes"), other.kept):
        name, content = next(iter(files.items()))
        key = name.rpartition("/")[2].removesuffix(".envelope").removesuffix(".journal")[-16:]
        with pytest.raises(Unproven):  # another day, another key
            other.deposit(name.replace("2026-03-14", "2026-03-15"), content)
        with pytest.raises(Unproven):
            other.deposit(name.replace(key, "0" * 16), content)
    name, content = next(iter(other.files("envelopes").items()))
    with pytest.raises(Unproven):  # an envelope of another box
        sender.deposit(name, content)
    assert stored(sender.central) == {}


def test_another_envelope_of_the_same_key_is_not_what_was_claimed(sender: Sender) -> None:
    name, first = next(iter(sender.files("envelopes").items()))
    fields = json.loads(first)
    del fields["signature"]
    fields["commitment"] = "0" * 64
    signature = sender.signer.sign(envelopes.PURPOSE, _canonical(fields))
    second = _canonical({**fields, "signature": signature}) + b"\n"
    assert len(first) == len(second)
    with pytest.raises(Unproven):
        sender.receiver.deposit(sender.claim(name, first), io.BytesIO(second))
    assert stored(sender.central) == {}
    sender.deposit(name, second)


def test_a_line_of_another_box_is_refused(sender: Sender, tmp_path: Path) -> None:
    other = make_sender(sender.central, tmp_path / "other")
    name, content = next(iter(other.lines().items()))
    with pytest.raises(Unproven):
        sender.deposit(name, content)


def test_statistics_are_lines_of_objects(sender: Sender) -> None:
    name = "statistics/2026-03-14/0123abcd-{}.jsonl"
    for number, content in enumerate(
        (b"{}", b"[]\n", b"{}\n{\n", b"\xff{}\n", b"{}\n\n", b"{" * 9999 + b"\n")
    ):
        with pytest.raises(Unproven):
            sender.deposit(name.format(number), content)
    assert stored(sender.central) == {}
    assert sender.deposit(name.format(7), b'{"hour":"2026-03-14T13:00:00Z"}\n{}\n')


def test_a_site_that_sends_has_been_heard(sender: Sender) -> None:
    name, content = next(iter(sender.lines().items()))
    before = now_ns()
    sender.deposit(name, content)
    assert before <= (sender.site.heard_at_ns or 0) <= now_ns()
    later = before + 3600 * 10**9
    sender.receiver = type(sender.receiver)(sender.central, lambda: later)
    sender.deposit(name, content)
    assert sender.site.heard_at_ns == later


class Locked(DirectoryStore):
    """A folder under which the disk refuses every deletion, or some lock keeps the files."""

    refusal: bool | StorageError = False

    def delete(self, path: str) -> bool:
        if isinstance(self.refusal, StorageError):
            raise self.refusal
        return self.refusal and super().delete(path)


@pytest.mark.parametrize("refusal", [False, StorageError("the disk refuses")])
def test_what_could_not_be_erased_at_once_is_erased_later(
    sender: Sender, refusal: bool | StorageError
) -> None:
    store = Locked(sender.central.folder / "objects")
    store.refusal = refusal
    sender.receiver = Receiver(dataclasses.replace(sender.central, store=store))
    sender.send_everything()  # a receipt is not refused for what is only tidying
    journals = [path for path in stored(sender.central) if "/journal/" in path]
    assert [path.partition("/")[2].rpartition(".")[0] for path in journals] == list(sender.kept)
    tomorrow = now_ns() + DAY_NS
    assert erasures.erase(sender.central, tomorrow) == 1
    assert not [path for path in stored(sender.central) if "/journal/" in path]
    assert erasures.erase(sender.central, tomorrow) == 0


def test_a_box_that_appends_itself_is_followed(sender: Sender) -> None:
    sender.send_everything()
    appended = Chain(sender.box.home, sender.signer).append([seals.ClockConfirmed(now_ns())])
    name, content = list(sender.lines().items())[-1]
    assert sender.deposit(name, content).sequence == Stored.select().count(sender.central.database)
    assert name == names.of_line(appended[0].seq, appended[0].hash)


def _canonical(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
