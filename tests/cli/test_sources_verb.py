"""`greffier sources` as an installer or a script meets it."""

import io
import os
import stat
from pathlib import Path

import pytest

from appliance.model.feeds import FeedKind
from appliance.model.instants import DAY_NS
from appliance.services.feeds.gate import Gate
from appliance.services.feeds.rhythms import Rhythms
from appliance.services.recording.alarms import Alarms
from appliance.vault.names import Home
from tests.cli.test_custody_verbs import Greffier, as_json, greffier, home
from tests.services.feeds.test_gate import NOW_NS, messages

__all__ = ["greffier", "home"]

SECRET = "not for other eyes"
GATEWAY = ("gateway", "--address", "192.168.0.1", "--network", "Guests", "--kind", "netflow", "syslog")


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\nwhat stands behind is none\n")
    return path


def test_a_source_is_declared_shown_and_forgotten(greffier: Greffier, home: Path, secret_file: Path) -> None:
    assert "Nobody may speak yet" in greffier("sources", "--home", home)[1]
    assert greffier("sources", "--home", home, "declare", *GATEWAY)[0] == 0
    points = ("--ap-mac", "lobby=02:00:00:00:00:01", "0200.0000.0002")
    controller = ("controller", "--address", "10.0.0.2", "10.0.1.0/24", "--kind", "radius", *points)
    code, said, complained = greffier(
        "sources", "declare", "--home", home, *controller, "--secret-file", secret_file
    )
    assert (code, complained) == (0, "")
    assert "'controller' is declared" in said
    assert stat.S_IMODE((home / "sources.toml").stat().st_mode) == 0o600
    said = greffier("sources", "--home", home)[1]
    for word in (
        "gateway",
        "Guests",
        "192.168.0.1",
        "lobby",
        "02:00:00:00:00:02",
        "never heard",
        "Nobody listens",
    ):
        assert word in said
    assert "#" not in said
    listed = as_json(greffier("sources", "list", "--home", home, "--json"))
    first, second = listed["sources"]  # type: ignore[misc]
    assert (first["label"], first["kinds"], first["has_secret"]) == ("gateway", ["netflow", "syslog"], False)
    assert (second["addresses"], second["has_secret"]) == (["10.0.0.2/32", "10.0.1.0/24"], True)
    assert [point["name"] for point in second["access_points"]] == ["lobby", ""]
    assert SECRET not in f"{said}{listed}"
    assert (
        as_json(greffier("sources", "--home", home, "forget", "gateway", "--json"))["forgotten"] == "gateway"
    )
    assert "gateway" not in greffier("sources", "--home", home)[1]


def test_a_declaration_is_replaced_and_keeps_its_secret(
    greffier: Greffier, home: Path, secret_file: Path
) -> None:
    radius = ("nas", "--kind", "radius", "--address", "10.0.0.2")
    assert greffier("sources", "--home", home, "declare", *radius, "--secret-file", secret_file)[0] == 0
    again = ("sources", "--home", home, "declare", "nas", "--kind", "radius", "--address", "10.0.0.3")
    code, _, complained = greffier(*again, "--secret-file", secret_file)
    assert code == 2
    assert "declared already; give --replace" in complained
    assert greffier(*again, "--replace")[0] == 0
    assert SECRET in (home / "sources.toml").read_text()
    assert "10.0.0.3" in (home / "sources.toml").read_text()


def test_a_person_is_asked_for_the_secret(
    greffier: Greffier, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr("getpass.getpass", lambda prompt: asked.append(prompt) or SECRET)
    radius = ("declare", "nas", "--kind", "radius", "--address", "10.0.0.2")
    assert greffier("sources", "--home", home, *radius)[0] == 0
    assert asked == ["Secret of nas for radius: "]
    assert SECRET in (home / "sources.toml").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("declare", "x", "--address", "192.168.0.1"), "overlap with those of 'gateway'"),
        (("declare", "x", "--address", "here"), "'here' is no address"),
        (("declare", "x"), "a source is known by its addresses"),
        (("declare", "x", "--address", "10.0.0.2", "--kind", "ftp"), "invalid choice: 'ftp'"),
        (("declare", "x", "--address", "10.0.0.2", "--kind", "radius"), "radius needs the secret"),
        (
            ("declare", "x", "--address", "10.0.0.2", "--grammar", "cobol"),
            "no grammar 'cobol'; those there are: ",
        ),
        (("declare", "x", "--address", "10.0.0.2", "--time-zone", "Paris"), "time_zone: is no IANA"),
        (("declare", "x", "--address", "10.0.0.2", "--secret-file", "/nowhere"), "cannot read /nowhere"),
        (("declare", "x", "--address", "10.0.0.2", "--replace"), "no source is called 'x'"),
        (("forget", "nobody"), "no source is called 'nobody'; declared are: gateway"),
        (("accept", "10.0.0.9", "--label", "x"), "nothing of 10.0.0.9 is kept apart"),
        (("accept", "10.0.0.9"), "required: --label"),
        (("dance",), "invalid choice: 'dance'"),
    ],
)
def test_a_mistake_is_one_sentence_and_changes_nothing(
    greffier: Greffier, home: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    greffier("sources", "--home", home, "declare", *GATEWAY)
    before = (home / "sources.toml").read_bytes()
    code, said, complained = greffier("sources", "--home", home, *words)
    assert (code, said) == (2, "")
    assert message in complained
    assert complained.count("\n") == 1
    assert (home / "sources.toml").read_bytes() == before


def test_a_broken_file_is_named_with_its_line_and_a_fault_of_the_box(greffier: Greffier, home: Path) -> None:
    path = home / "sources.toml"
    path.write_text('[[source]]\nlabel = "x"\naddresses = ["ten"]\n')
    path.chmod(0o600)
    code, _, complained = greffier("sources", "--home", home)
    assert code == 4
    assert "sources.toml line 3: addresses: 'ten' is no address" in complained
    status = as_json(greffier("status", "--home", home, "--json"))
    assert status["feeds"] is None
    assert any("sources.toml line 3" in fault for fault in status["faults"])  # type: ignore[union-attr]


def test_strangers_are_shown_accepted_and_counted(greffier: Greffier, home: Path) -> None:
    made = Home(home)
    gate = Gate(made)
    gate.refresh(NOW_NS)
    gate.admit(
        FeedKind.SYSLOG, "10.66.0.9", messages(b"<134>Nov 22 03:00:00 ap x", b"<134>Nov 22 03:00:01 ap y")
    )
    gate.admit(FeedKind.NETFLOW, "10.66.0.9", messages(bytes((0, 9)) + bytes(20)))
    gate.admit(FeedKind.NETFLOW, "10.66.0.8", messages(bytes(24)))
    gate.refresh(NOW_NS)
    try:
        said = greffier("sources", "--home", home)[1]
        for word in ("10.66.0.9", "10.66.0.8", "NetFlow v9", "syslog (RFC 3164)", "not known", "Kept apart"):
            assert word in said
        status = as_json(greffier("status", "--home", home, "--json"))["feeds"]
        assert (status["quarantined_senders"], status["quarantined_messages"]) == (3, 4)  # type: ignore[index]
        words = greffier("status", "--home", home)[1]
        assert "Not recorded: 4 messages of 3 senders not declared: 'greffier sources'." in words
        accepted = ("accept", "10.66.0.9", "--label", "bar [1st floor]", "--json")
        assert as_json(greffier("sources", "--home", home, *accepted)) == {
            "declared": "bar [1st floor]",
            "kept_messages": 3,
        }
        assert gate.refresh(NOW_NS)
        assert sum(len(one.messages) for one in gate.released()) == 3
        gate.refresh(NOW_NS)
        said = greffier("sources", "--home", home)[1]
        assert "bar [1st floor]" in said
        assert "1 netflow, 2 syslog" in said
        assert "10.66.0.8" in said
    finally:
        gate.close()


def test_silence_is_a_fault_of_the_box_and_shown(
    greffier: Greffier, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.services.feeds.rhythms.SAVE_EVERY_NS", DAY_NS)
    greffier("sources", "--home", home, "declare", *GATEWAY)
    gate = Gate(Home(home))
    gate.refresh(NOW_NS)
    rhythms = Rhythms(Home(home).state, Alarms(), gate.board)
    (gateway,) = gate.declared
    try:
        for minute in range(4 * 1440):
            rhythms.look(NOW_NS + minute * 60 * 10**9, gate.declared)
            rhythms.heard(gateway, NOW_NS + minute * 60 * 10**9)
        for minute in range(4 * 1440, 4 * 1440 + 4):
            rhythms.look(NOW_NS + minute * 60 * 10**9, gate.declared)
        said = greffier("sources", "--home", home)[1]
        assert "SILENT" in said
        assert "up to 60 s" in said
        assert as_json(greffier("status", "--home", home, "--json"))["feeds"]["silent"] == ["gateway"]  # type: ignore[index]
        assert "1 SILENT" in greffier("status", "--home", home)[1]
    finally:
        gate.close()


def test_the_home_may_be_named_before_and_behind(greffier: Greffier, home: Path) -> None:
    assert greffier("sources", "list")[0] == 2
    for words in (("--home", home), ("list", "--home", home), ("--home", home, "list")):
        assert greffier("sources", *words)[0] == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to act for somebody else")
def test_what_root_declares_is_read_by_the_owner_of_the_home(greffier: Greffier, home: Path) -> None:
    os.chown(home, 65_534, 65_534)
    assert greffier("sources", "--home", home, "declare", *GATEWAY)[0] == 0
    for path in (home / "sources.toml", home / "state" / "sources.lock"):
        assert (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) == (65_534, 0o600)
