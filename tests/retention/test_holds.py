"""Holds keep what they state and nothing else, to their date; the contract's end keeps what they keep."""

import datetime as dt
import json
import subprocess
from pathlib import Path

import pytest

from appliance.cli.main import main
from appliance.config import text
from appliance.model.errors import DestroyedError, HomeError, UsageError
from appliance.model.instants import start_of
from appliance.retention import contract_end, holds
from appliance.retention.destruction import destroy
from appliance.retention.policy import destroyed_on
from appliance.vault import chain, seals
from appliance.vault.names import VaultName
from appliance.vault.seals import Destroyed, DestructionOrdered, Hold, HoldEnded
from appliance.vault.verify import verify
from tests.retention.test_destruction import NEXT, TERM_OVER_NS, box_with_two_days, days_in, key_ids
from tests.vault.made_homes import DAY, SOURCES, run_that_dies, traffic

EXPIRES = destroyed_on(DAY, 1) + dt.timedelta(days=30)
ORDER = Hold("order 12/2027", (VaultName.TRAFFIC,), DAY, DAY, EXPIRES)
LAST_DAY_NS = start_of(EXPIRES)


def test_a_held_day_stays_beyond_its_term_and_the_next_day_goes(tmp_path: Path) -> None:
    box = box_with_two_days(tmp_path)
    placed = holds.place(box.home, ORDER, box.clock)
    assert (placed.state, placed.kept, placed.gone) == ("holding", 1, 0)
    outcome = destroy(box.home, box.config, box.clock, LAST_DAY_NS + 86399 * 10**9)
    assert [gone.day for gone in outcome.destroyed] == [NEXT]
    [kept] = outcome.kept
    assert (kept.day, kept.until) == (DAY, EXPIRES + dt.timedelta(days=1))
    assert "order 12/2027" in kept.why
    assert days_in(box) == {DAY.isoformat()}
    for key_id in key_ids(box, DAY):
        assert box.opener().open(VaultName.TRAFFIC, DAY, key_id)
    assert verify(box.home).faults == ()


def test_a_hold_ends_by_itself_on_its_date(tmp_path: Path) -> None:
    box = box_with_two_days(tmp_path)
    holds.place(box.home, ORDER, box.clock)
    later = destroy(box.home, box.config, box.clock, start_of(EXPIRES + dt.timedelta(days=1)))
    assert [gone.day for gone in later.destroyed] == [DAY, NEXT]
    assert days_in(box) == set()


def test_a_hold_that_is_lifted_lets_its_days_go_with_their_term(tmp_path: Path) -> None:
    box = box_with_two_days(tmp_path)
    holds.place(box.home, ORDER, box.clock)
    assert holds.end(box.home, ORDER.reference, box.clock).state == "lifted"
    assert [gone.day for gone in destroy(box.home, box.config, box.clock, TERM_OVER_NS).destroyed] == [DAY]
    with pytest.raises(UsageError, match="lifted already"):
        holds.end(box.home, ORDER.reference, box.clock)


def test_of_two_holds_the_longer_keeps_and_a_shorter_that_ends_frees_nothing(tmp_path: Path) -> None:
    box = box_with_two_days(tmp_path)
    holds.place(box.home, ORDER, box.clock)
    longer = Hold("order 13", (VaultName.TRAFFIC,), DAY, DAY, EXPIRES + dt.timedelta(days=10))
    holds.place(box.home, longer, box.clock)
    holds.end(box.home, ORDER.reference, box.clock)
    [kept] = destroy(box.home, box.config, box.clock, LAST_DAY_NS).kept
    assert kept.until == longer.until + dt.timedelta(days=1)


def test_another_vault_of_the_same_day_is_not_kept(tmp_path: Path) -> None:
    box = box_with_two_days(tmp_path)
    of_source = Hold("order 14", (VaultName.SOURCE,), DAY, NEXT, EXPIRES)
    assert holds.place(box.home, of_source, box.clock).kept == 0
    assert [gone.day for gone in destroy(box.home, box.config, box.clock, TERM_OVER_NS).destroyed] == [DAY]


def test_a_day_inside_its_term_waits_for_its_term_not_for_the_hold(tmp_path: Path) -> None:
    box = box_with_two_days(tmp_path)
    holds.place(box.home, Hold("short", (VaultName.TRAFFIC,), DAY, DAY, NEXT), box.clock)
    kept = destroy(box.home, box.config, box.clock, box.clock()).kept
    assert {one.until for one in kept} == {destroyed_on(DAY, 1), destroyed_on(NEXT, 1)}
    assert {one.why for one in kept} == {"its term runs"}


def test_what_cannot_be_meant_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    box = box_with_two_days(tmp_path)
    holds.place(box.home, ORDER, box.clock)
    before = box.home.chain.read_bytes()
    with pytest.raises(UsageError, match="used before"):
        holds.place(box.home, ORDER, box.clock)
    with pytest.raises(UsageError, match="has passed"):
        holds.place(box.home, Hold("x", (VaultName.TRAFFIC,), DAY, DAY, DAY), lambda: start_of(NEXT))
    with pytest.raises(UsageError, match="there is no hold"):
        holds.end(box.home, "another", box.clock)
    for wrong in ({"reference": "two\nlines"}, {"vaults": ()}, {"last_day": DAY - dt.timedelta(days=1)}):
        with pytest.raises(ValueError, match="hold"):
            Hold(**{"reference": "x", "vaults": (VaultName.TRAFFIC,), "first_day": DAY, "last_day": DAY,
                    "until": EXPIRES, **wrong})  # fmt: skip
    assert box.home.chain.read_bytes() == before


def test_a_hold_is_a_line_that_openssl_verifies(tmp_path: Path) -> None:
    """FORMAT.md: Ed25519 over purpose, newline, the canonical JSON of the line without `sig`."""
    box = box_with_two_days(tmp_path)
    holds.place(box.home, ORDER, box.clock)
    fields = json.loads(box.home.chain.read_text().splitlines()[-1])
    assert fields["kind"] == "hold"
    assert (fields["vaults"], fields["first_day"], fields["until"]) == (
        ["traffic"],
        DAY.isoformat(),
        EXPIRES.isoformat(),
    )
    signature = tmp_path / "sig"
    signature.write_bytes(bytes.fromhex(fields.pop("sig")))
    message = tmp_path / "message"
    message.write_bytes(
        b"greffier chain 1\n" + json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    )
    public = tmp_path / "box.pub"
    subprocess.run(
        ["openssl", "pkey", "-in", box.home.signing_key, "-pubout", "-out", public],
        check=True,
        capture_output=True,
    )
    checked = subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", "-in", message, "-sigfile",
         signature],
        capture_output=True,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("body", [ORDER, HoldEnded("order 12/2027")])
def test_a_line_comes_back_as_it_was_said_and_not_in_another_form(body: seals.Body) -> None:
    fields = json.loads(json.dumps(seals.to_json(body)))
    assert seals.from_json(fields) == body
    for key in fields:
        with pytest.raises(ValueError, match="has"):
            seals.from_json({**fields, key: None})


def test_the_command_places_lists_and_lifts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    box = box_with_two_days(tmp_path)
    home = ["--home", str(box.home.path)]
    scope = ["--vault", "traffic", "--from", str(DAY), "--until-day", str(NEXT), "--expires", "2099-01-01"]
    assert main(["hold", *home, "place", "--reference", "A 1", *scope]) == 0
    assert "keeps traffic from" in capsys.readouterr().out
    assert main(["retention", *home, "--now", "2050-01-01"]) == 0
    assert "the hold 'A 1' keeps it" in capsys.readouterr().out
    assert days_in(box) == {str(DAY), str(NEXT)}
    assert main(["status", *home]) == 0
    shown = capsys.readouterr().out
    assert "Hold 'A 1'" in shown
    assert "past" not in shown.replace("past the last", "")
    assert main(["hold", *home, "list", "--json"]) == 0
    [listed] = json.loads(capsys.readouterr().out)["holds"]
    assert (listed["reference"], listed["state"], listed["kept"]) == ("A 1", "holding", 2)
    assert main(["hold", *home, "end", "--reference", "A 1"]) == 0
    assert main(["hold", *home, "place", "--reference", "B", *scope[:-1], "2020-01-01"]) == 2


def test_the_contracts_end_destroys_everything_whatever_its_term(tmp_path: Path) -> None:
    box = box_with_two_days(tmp_path)
    [gone, *_] = key_ids(box, DAY)
    totals = box.home.statistics / str(DAY)
    totals.mkdir(parents=True)
    (totals / "00000000-1.jsonl").write_text("{}\n")
    fingerprint = contract_end.plan(box.home, box.clock()).fingerprint
    ending = contract_end.end(box.home, fingerprint, box.clock)
    assert {certificate.day for certificate in ending.destroyed} == {DAY, NEXT}
    assert days_in(box) == set()
    assert not list(box.home.statistics.iterdir())
    orders = [entry.body for entry in chain.read(box.home) if isinstance(entry.body, DestructionOrdered)]
    assert {order.term_years for order in orders} == {0}
    assert sum(isinstance(entry.body, Destroyed) for entry in chain.read(box.home)) == 2
    with pytest.raises(DestroyedError):
        box.opener().open(VaultName.TRAFFIC, DAY, gone)
    assert verify(box.home).faults == ()


def test_a_hold_wins_over_the_contracts_end(tmp_path: Path) -> None:
    box = box_with_two_days(tmp_path)
    holds.place(box.home, ORDER, box.clock)
    fingerprint = contract_end.plan(box.home, box.clock()).fingerprint
    ending = contract_end.end(box.home, fingerprint, box.clock)
    assert [kept.day for kept in ending.kept] == [DAY]
    assert days_in(box) == {DAY.isoformat()}
    for key_id in key_ids(box, DAY):
        assert box.opener().open(VaultName.TRAFFIC, DAY, key_id)
    assert verify(box.home).faults == ()


def test_another_box_is_not_emptied_and_not_one_that_records(tmp_path: Path) -> None:
    box = box_with_two_days(tmp_path)
    files = {path: path.read_bytes() for path in box.home.path.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match="not the fingerprint"):
        contract_end.end(box.home, "0" * 64, box.clock)
    assert {path: path.read_bytes() for path in box.home.path.rglob("*") if path.is_file()} == files
    fingerprint = contract_end.plan(box.home, box.clock()).fingerprint
    with box.recording() as (_, writer):
        writer.journal(traffic(5), SOURCES)
        with pytest.raises(HomeError, match="recorder is at work"):
            contract_end.end(box.home, fingerprint, box.clock)
    assert len(days_in(box)) == 2


def test_what_a_killed_run_had_left_goes_too(tmp_path: Path) -> None:
    box = box_with_two_days(tmp_path)
    run_that_dies(box, traffic(7, 5))
    fingerprint = contract_end.plan(box.home, box.clock()).fingerprint
    contract_end.end(box.home, fingerprint, box.clock)
    assert not [path for room in ("envelopes", "segments", "journal") for path in box.files(room)]


def test_the_command_asks_for_the_fingerprint_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    box = box_with_two_days(tmp_path)
    assert text.render(box.config)
    verb = ["retention", "--home", str(box.home.path), "--end-of-contract"]
    assert main(verb) == 0
    told = capsys.readouterr().out
    assert "greffier reversibility" in told
    assert len(days_in(box)) == 2
    [line] = [line for line in told.splitlines() if "--confirm" in line]
    assert main([*verb, "--confirm", "f" * 64]) == 2
    assert main([*verb, "--confirm", line.split()[-1], "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["destroyed"]) == 2
    assert days_in(box) == set()
