"""The verbs of custody as a person or a script meets them: output, exit codes, one sentence for an error."""

import datetime as dt
import json
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.cli.main import main
from appliance.config import box as settings
from appliance.model.coverage import Coverage
from appliance.model.instants import HOUR_NS, NS, to_iso
from appliance.vault import chain
from appliance.vault.names import Home, VaultName
from appliance.vault.run import Run
from appliance.vault.writer import VaultWriter
from tests.vault.made_homes import SOURCES
from tests.vault.made_rows import traffic

Greffier = Callable[..., tuple[int, str, str]]


@pytest.fixture
def greffier(capsys: pytest.CaptureFixture[str]) -> Greffier:
    """Runs a verb: (exit code, stdout, stderr)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err
        return code, shown.out, shown.err

    return run


@pytest.fixture
def home(greffier: Greffier, tmp_path: Path) -> Path:
    """A home with one sealed hour, made by the verbs and the writer."""
    recipients = [greffier("custodian", "new", "--out", tmp_path / f"{name}.key")[1].strip() for name in "ab"]
    path = tmp_path / "home"
    code, _, _ = greffier(
        "init", "--home", path, "--site", "Café", "--custodian", *recipients, "--client-network", "10.0.0.0/8"
    )
    assert code == 0
    record(path)
    return path


def record(path: Path) -> None:
    made = Home(path)
    with Run.start(made) as run:
        writer = VaultWriter(made, VaultName.TRAFFIC, settings.read(made.config), run.chain, run)
        rows = traffic(20)
        first = int(rows["first_seen"].min())
        parts = [
            Coverage(SOURCES[0], first, first + HOUR_NS, 100, 5000, {"not_ip": 2}, {"kernel": 3}),
            Coverage(
                SOURCES[0], first + 3 * HOUR_NS, first + 4 * HOUR_NS, 50, 70, measured={"clock_error_us": 7}
            ),
            Coverage(SOURCES[1], first, first + NS, 7, 8),
        ]
        writer.journal(rows, SOURCES)
        writer.seal(rows, SOURCES, parts)


def as_json(shown: tuple[int, str, str], code: int = 0) -> dict[str, object]:
    assert shown[0] == code
    return dict(json.loads(shown[1]))


def test_a_new_home_is_private_and_says_what_it_is(greffier: Greffier, home: Path) -> None:
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for name in ("box.toml", "box.key", "chain.jsonl"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600
    status = as_json(greffier("status", "--home", home, "--json"))
    first = chain.first(Home(home)).body
    import hashlib

    assert status["fingerprint"] == hashlib.sha256(bytes.fromhex(first.box)).hexdigest()  # type: ignore[union-attr]
    assert (status["site"], status["quorum"], status["segments"]) == ("Café", 2, 1)
    assert status["records"] == {"traffic": 20, "source": 0}
    assert status["next_destruction"] == {"vault": "traffic", "day": "2026-03-14", "on": "2027-03-15"}
    assert status["oldest_day"] == status["newest_day"] == "2026-03-14"


def test_init_in_json_and_words_gives_the_same_fingerprint(greffier: Greffier, tmp_path: Path) -> None:
    recipient = greffier("custodian", "new", "--out", tmp_path / "a.key")[1].strip()
    common = (
        "--site",
        "x",
        "--custodian",
        recipient,
        "--client-network",
        "10.0.0.0/8",
        "--client-network",
        "fd00::/8",
    )
    made = greffier("init", "--home", tmp_path / "one", *common, "--json")
    assert "can read everything alone" in made[2]
    shown = as_json(made)
    assert (shown["quorum"], shown["client_networks"]) == (1, ["10.0.0.0/8", "fd00::/8"])
    verified = as_json(greffier("verify", "--home", tmp_path / "one", "--json"))
    assert (verified["fingerprint"], verified["head"]) == (shown["fingerprint"], shown["head"])
    words = greffier("init", "--home", tmp_path / "two", *common)[1]
    assert re.search(r"Fingerprint of the box: [0-9a-f]{64}\n", words)
    assert "greffier record --home" in words


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"--quorum": "3"}, 2, "quorum: 3 is not between 1"),
        ({"--quorum": "0"}, 2, "quorum: 0 is not between 1"),
        ({"--quorum": "two"}, 2, "invalid int value"),
        ({"--custodian": "age1nonsense"}, 2, "not an age recipient"),
        ({"--client-network": "hotel"}, 2, "not a network"),
        ({"--site": " "}, 2, "site needs a name"),
        ({"--site": "two\nlines"}, 2, "site needs a name"),
    ],
)
def test_init_refuses_what_cannot_be_meant(
    greffier: Greffier, tmp_path: Path, change: dict[str, str], code: int, message: str
) -> None:
    recipients = [greffier("custodian", "new", "--out", tmp_path / f"{name}.key")[1].strip() for name in "ab"]
    options: dict[str, list[str]] = {
        "--site": ["x"],
        "--custodian": recipients,
        "--client-network": ["10.0.0.0/8"],
        **{option: [value] for option, value in change.items()},
    }
    arguments = [word for option, values in options.items() for word in (option, *values)]
    refused = greffier("init", "--home", tmp_path / "home", *arguments)
    assert refused[0] == code
    assert message in refused[2]
    assert not (tmp_path / "home").exists()


def test_a_custodian_mistyped_by_one_letter_makes_no_home(greffier: Greffier, tmp_path: Path) -> None:
    recipient = greffier("custodian", "new", "--out", tmp_path / "a.key")[1].strip()
    wrong = recipient[:-1] + ("q" if recipient[-1] != "q" else "p")
    arguments = ("--site", "x", "--custodian", wrong, "--client-network", "10.0.0.0/8")
    assert greffier("init", "--home", tmp_path / "home", *arguments)[0] == 5
    assert not (tmp_path / "home").exists()


def test_init_never_touches_a_home_that_is_there(greffier: Greffier, home: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    recipient = greffier("custodian", "new", "--out", tmp_path / "c.key")[1].strip()
    refused = greffier(
        "init", "--home", home, "--site", "x", "--custodian", recipient, "--client-network", "10.0.0.0/8"
    )
    assert refused[0] == 4
    assert "never overwritten" in refused[2]
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before


def test_verify_exits_1_with_the_place_of_a_fault(greffier: Greffier, home: Path) -> None:
    whole = greffier("verify", "--home", home)
    assert whole[0] == 0
    assert "Everything is as it was sealed." in whole[1]
    [segment] = home.glob("segments/*/*/*.parquet")
    segment.write_bytes(segment.read_bytes()[:-1])
    spoiled = greffier("verify", "--home", home)
    assert spoiled[0] == 1
    assert str(segment.relative_to(home)) in spoiled[1]
    assert spoiled[2].count("\n") == 1
    [fault] = as_json(greffier("verify", "--home", home, "--json"), 1)["faults"]  # type: ignore[misc]
    assert fault["place"] == str(segment.relative_to(home))


def test_verify_knows_a_head_noted_elsewhere(greffier: Greffier, home: Path) -> None:
    head = as_json(greffier("status", "--home", home, "--json"))["head"]
    assert greffier("verify", "--home", home, "--known-head", head)[0] == 0
    assert greffier("verify", "--home", home, "--known-head", f"99:{'0' * 64}")[0] == 1
    assert greffier("verify", "--home", home, "--known-head", "nonsense")[0] == 2


def test_coverage_says_what_was_seen_and_the_gaps_of_live_sources(greffier: Greffier, home: Path) -> None:
    shown = as_json(greffier("coverage", "--home", home, "--json"))
    by_source = {source["source"]: source for source in shown["sources"]}  # type: ignore[attr-defined]
    live, file = by_source[SOURCES[0]], by_source[SOURCES[1]]
    assert [period["packets"] for period in live["periods"]] == [100, 50]
    assert (live["periods"][0]["refused"], live["periods"][0]["lost"]) == ({"not_ip": 2}, {"kernel": 3})
    assert [gap["from"] for gap in live["gaps"]] == [period["last"] for period in live["periods"]]
    assert live["gaps"][0]["until"] == live["periods"][1]["first"]
    assert file["gaps"] == []
    words = greffier("coverage", "--home", home)[1]
    assert "GAP" in words
    assert "3 kernel" in words
    assert [period["measured"] for period in live["periods"]] == [{}, {"clock_error_us": 7}]
    assert "at worst 7 clock_error_us" in words


def test_coverage_of_a_time_holds_only_what_touches_it(greffier: Greffier, home: Path) -> None:
    nothing = greffier("coverage", "--home", home, "--to", "2020-01-01")
    assert (nothing[0], nothing[1].strip()) == (0, "Nothing was recorded in that time.")
    assert greffier("coverage", "--home", home, "--from", "yesterday")[0] == 2


def test_retention_says_what_stays_and_destroys_when_it_is_time(greffier: Greffier, home: Path) -> None:
    kept = as_json(greffier("retention", "--home", home, "--now", "2027-03-14T23:59:59Z", "--json"))
    assert kept["destroyed"] == []
    [day] = kept["kept"]  # type: ignore[misc]
    assert (day["day"], day["until"]) == ("2026-03-14", "2027-03-15")
    planned = greffier("retention", "--home", home, "--now", "2027-03-15", "--dry-run")
    assert "Would be destroyed: traffic 2026-03-14" in planned[1]
    assert list(home.glob("envelopes/*/*/*"))
    gone = greffier("retention", "--home", home, "--now", "2027-03-15")
    assert "Destroyed and certified: traffic 2026-03-14" in gone[1]
    assert list(home.glob("envelopes/*/*")) == list(home.glob("segments/*/*")) == []
    status = as_json(greffier("status", "--home", home, "--json"))
    assert [certificate["day"] for certificate in status["certificates"]] == ["2026-03-14"]  # type: ignore[attr-defined]
    assert status["next_destruction"] is None
    assert greffier("verify", "--home", home)[0] == 0
    keys = ["--identity", home.parent / "a.key", home.parent / "b.key"]
    asked = greffier("search", "--home", home, *keys, "--from", "2026-03-01", "--to", "2026-04-01")
    assert "1 day(s) were destroyed after their term: 2026-03-14" in asked[2]
    assert "destroyed" not in greffier("search", "--home", home, *keys, "--from", "2026-03-15")[2]


def test_status_names_what_a_person_must_look_at(greffier: Greffier, home: Path) -> None:
    assert "No fault." in greffier("status", "--home", home)[1]
    now = to_iso(dt.datetime(2026, 3, 14, tzinfo=dt.UTC).timestamp().__int__() * NS)
    alarm = {"kind": "storage", "since": now, "message": "the disk is full"}
    state = {
        "run": "dead",
        "pid": 1,
        "started": now,
        "updated": now,
        "ended": False,
        "sources": [],
        "alarms": [alarm],
    }
    (home / "state" / "recorder-dead.json").write_text(json.dumps(state))
    (home / "chain.jsonl").write_bytes((home / "chain.jsonl").read_bytes().splitlines(keepends=True)[0])
    faults = " ".join(as_json(greffier("status", "--home", home, "--json"))["faults"])  # type: ignore[arg-type]
    settings_file = home / "box.toml"
    settings_file.write_text(settings_file.read_text().replace("interfaces = []", 'interfaces = ["mirror7"]'))
    assert "'mirror7' stands in box.toml and is not recorded" in greffier("status", "--home", home)[1]
    for expected in ("the disk is full", "ended without closing", "rolled back"):
        assert expected in faults


@pytest.mark.parametrize("verb", ["verify", "coverage", "retention", "status"])
def test_a_folder_that_is_no_home_is_said_so(greffier: Greffier, tmp_path: Path, verb: str) -> None:
    code, shown, error = greffier(verb, "--home", tmp_path)
    assert (code, shown) == (4, "")
    assert "not the home of a box" in error


@pytest.mark.parametrize("verb", ["custodian", "init", "verify", "coverage", "retention", "status"])
def test_help_shows_an_example(greffier: Greffier, capsys: pytest.CaptureFixture[str], verb: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    assert f"  greffier {verb} " in capsys.readouterr().out.split("examples:")[1]


def test_a_defect_is_told_without_what_it_was_about(
    greffier: Greffier, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> Home:
        raise ValueError("192.168.2.17 is not what was expected")

    monkeypatch.setattr("appliance.vault.homes.existing", broken)
    code, out, err = greffier("status", "--home", home)
    assert (code, out) == (3, "")
    assert err.startswith("greffier: unexpected ValueError;")
    assert "192.168" not in err
