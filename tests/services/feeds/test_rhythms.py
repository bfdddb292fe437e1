"""Who falls silent, source or access point, is an alarm by its name; what is learned outlives a restart."""

import json
from pathlib import Path

import pytest

from appliance.model.feeds import DeclaredSource, FeedKind
from appliance.model.instants import DAY_NS, HOUR_NS, NS, to_iso
from appliance.runtime.files import write_once
from appliance.services.feeds import noticeboard
from appliance.services.feeds.noticeboard import Noticeboard
from appliance.services.feeds.rhythms import NAME, Rhythms
from appliance.services.recording.alarms import Alarms

MONDAY_NS = 1_790_553_600 * NS
LOBBY, BAR, ATTIC, STRANGER = 0x020000000001, 0x020000000002, 0x020000000003, 0x020000000009
ROUTER = DeclaredSource(
    "router",
    "Guests",
    ("10.0.0.1/32",),
    ap_macs=("02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"),
    ap_labels=("lobby", "", ""),
    kinds=(FeedKind.SYSLOG,),
)
SELF = DeclaredSource("bar", mac="02:00:00:00:00:02", kinds=(FeedKind.NETFLOW,))
DECLARED = (ROUTER, SELF)
EVERYONE = frozenset({LOBBY, BAR, ATTIC, STRANGER})


def live(
    rhythms: Rhythms, from_ns: int, seconds: int, step_s: int = 60, mute: frozenset[int] = frozenset()
) -> int:
    """Everybody but the mute speaks at every step; the instant at the end."""
    for second in range(0, seconds, step_s):
        now_ns = from_ns + second * NS
        rhythms.look(now_ns, DECLARED)
        rhythms.heard(ROUTER, now_ns, EVERYONE - mute)
        if BAR not in mute:
            rhythms.heard(SELF, now_ns)
    rhythms.look(from_ns + seconds * NS, DECLARED)
    return from_ns + seconds * NS


def standing(alarms: Alarms) -> dict[str, str]:
    return {alarm.kind: alarm.message for alarm in alarms}


def test_a_word_that_waited_was_said_when_it_came(tmp_path: Path) -> None:
    """To be decoded, or for its sender to be declared: what is learned are the pauses between the words."""
    rhythms = Rhythms(tmp_path, Alarms())
    for second in range(101):
        rhythms.look(MONDAY_NS + second * NS, [SELF])
    for said_s, last_s in ((-20, -20), (60, 60), (50, 60)):  # accepted late; decoded late; overtaken
        rhythms.heard(SELF, MONDAY_NS + said_s * NS)
        assert rhythms.shown(0, [SELF])["bar"]["last"] == to_iso(MONDAY_NS + last_s * NS)
    rhythms.look(MONDAY_NS + 120 * NS, [SELF])
    rhythms.heard(SELF, MONDAY_NS + 120 * NS)
    rhythms.close(MONDAY_NS + 120 * NS)
    (kept,) = json.loads((tmp_path / NAME).read_text())["rhythms"]
    assert kept["hours"][MONDAY_NS // HOUR_NS % 24] == [[MONDAY_NS // DAY_NS, 60]]
    assert kept["last_ns"] == MONDAY_NS + 120 * NS


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, bytes]:
    """Four days of everybody speaking each minute: when they ended, and what is kept of them."""
    folder = tmp_path_factory.mktemp("learned")
    rhythms = Rhythms(folder, Alarms())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("appliance.services.feeds.rhythms.SAVE_EVERY_NS", DAY_NS)
        now_ns = live(rhythms, MONDAY_NS, 4 * 86_400)
    rhythms.close(now_ns)
    return now_ns, (folder / NAME).read_bytes()


@pytest.fixture
def taught(tmp_path: Path, learned: tuple[int, bytes]) -> int:
    """The end of those four days, in a folder of its own."""
    now_ns, content = learned
    write_once(tmp_path / NAME, content)
    return now_ns


def test_silence_is_said_with_names_and_is_over_with_the_first_word(tmp_path: Path, taught: int) -> None:
    alarms = Alarms()
    rhythms = Rhythms(tmp_path, alarms)
    now_ns = live(rhythms, taught, 170, 10, mute=frozenset({LOBBY, BAR, ATTIC}))
    since = (
        "has said nothing since 2026-10-01T23:59:00Z; it usually speaks every 60 s at this time of the day"
    )
    told = standing(alarms)
    unnamed = next(kind for kind in told if "#" in kind)
    assert told == {
        "silent:router/lobby": f'access point "lobby" (of "router") {since}; '
        'check its power and the syslog settings of "router"',
        "silent:router/bar": f'access point "bar" (of "router") {since}; '
        'check its power and the syslog settings of "router"',
        unnamed: f'access point without a name {unnamed[14:]} (of "router") {since}; '
        'check its power and the syslog settings of "router"',
        "silent:bar": f'source "bar" {since}; check its power, its network and its NetFlow/IPFIX settings',
    }
    live(rhythms, now_ns, 20, 10)
    assert standing(alarms) == {}


def test_who_is_silent_is_one_alarm_with_all_its_access_points(tmp_path: Path, taught: int) -> None:
    alarms = Alarms()
    rhythms = Rhythms(tmp_path, alarms)
    now_ns = live(rhythms, taught, 120, 10, mute=frozenset({LOBBY}))
    assert "silent:router/lobby" in standing(alarms)
    for second in range(200):
        rhythms.look(now_ns + second * NS, DECLARED)
        rhythms.heard(SELF, now_ns + second * NS)
    assert list(standing(alarms)) == ["silent:router"]


def test_the_time_without_a_recorder_is_nobodys_silence(tmp_path: Path, taught: int) -> None:
    alarms = Alarms()
    rhythms = Rhythms(tmp_path, alarms)
    live(rhythms, taught + 3 * HOUR_NS, 60, 10, mute=frozenset({LOBBY}))
    assert standing(alarms) == {}
    live(rhythms, taught + 3 * HOUR_NS + 60 * NS, 120, 10, mute=frozenset({LOBBY}))
    assert list(standing(alarms)) == ["silent:router/lobby"]
    rhythms.close(taught + 3 * HOUR_NS + 180 * NS)
    assert standing(alarms) == {}
    again = Rhythms(tmp_path, alarms)
    live(again, taught + DAY_NS, 10, 5, mute=frozenset({LOBBY}))
    assert list(standing(alarms)) == ["silent:router/lobby"], "a restart is no word of it"


def test_who_is_declared_no_more_is_missed_by_nobody(tmp_path: Path, taught: int) -> None:
    alarms = Alarms()
    rhythms = Rhythms(tmp_path, alarms)
    now_ns = live(rhythms, taught, 180, 10, mute=frozenset({LOBBY, BAR}))
    assert "silent:router/lobby" in standing(alarms)
    rhythms.look(now_ns, (SELF,))
    assert list(standing(alarms)) == ["silent:bar"]


def test_who_never_spoke_is_missed_after_half_a_day(tmp_path: Path) -> None:
    alarms = Alarms()
    rhythms = Rhythms(tmp_path, alarms)
    for minute in range(13 * 60):
        rhythms.look(MONDAY_NS + minute * 60 * NS, (SELF,))
    assert standing(alarms) == {
        "silent:bar": 'source "bar" has said nothing since it was declared; '
        "check its power, its network and its NetFlow/IPFIX settings"
    }


def test_no_address_lies_in_what_is_kept(tmp_path: Path, taught: int) -> None:
    content = (tmp_path / NAME).read_text()
    for address in ("02:00", "020000", "10.0.0.1"):
        assert address not in content
    assert (tmp_path / NAME).stat().st_mode & 0o077 == 0
    assert '"lobby"' in content


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"key": "zz"}', b'{"key": "00", "rhythms": [{"source": 1}]}']
)
def test_a_torn_file_teaches_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    rhythms = Rhythms(tmp_path, Alarms())
    live(rhythms, MONDAY_NS, 60, 10)


def test_access_points_that_nobody_declared_are_shown(tmp_path: Path, taught: int) -> None:
    board = Noticeboard(tmp_path)
    board.open()
    live(Rhythms(tmp_path, Alarms(), board), taught, 60, 10)
    shown = noticeboard.read(tmp_path)
    board.close()
    assert shown is not None
    router = shown["rhythms"]["router"]
    assert router["undeclared_access_points"] == ["02:00:00:00:00:09"]
    assert (router["silent"], router["usual_pause_s"]) == (False, 60)
    assert [point["name"] for point in router["access_points"]][:2] == ["lobby", "bar"]
    assert shown["rhythms"]["bar"]["last"] == "2026-10-02T00:00:50.000000000Z"
