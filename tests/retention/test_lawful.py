"""What a site says of the law is kept, and says from which instant to which a vault is not recorded."""

import os
from pathlib import Path

import pytest

from appliance.control.words import Lapse
from appliance.model.errors import HomeError, UsageError
from appliance.model.instants import HOUR_NS, from_iso
from appliance.retention import lawful
from appliance.retention.legal.calendar import Confirmation, State
from appliance.vault.names import VaultName
from tests.retention.legal.test_calendar import RENEWED
from tests.vault.made_homes import make_box

LAPSED_NS = from_iso("2026-10-20T22:00:00Z")
"""Midnight in Paris: summer time."""

NOW_NS = from_iso("2026-11-22T10:00:00Z")


def said_now(text: str, by: str = "claire") -> Confirmation:
    first, last = RENEWED.first_day, RENEWED.last_day
    return Confirmation("traffic-injunction", text, first, last, by, NOW_NS)


def test_without_a_word_of_the_site_a_lapse_is_only_told(tmp_path: Path) -> None:
    said = lawful.read(make_box(tmp_path).home)
    assert [said.lapse(vault) for vault in VaultName] == [Lapse.ALERT, Lapse.ALERT]
    assert lawful.stopped(said, VaultName.TRAFFIC) == ()
    assert {one.basis.key: one.state for one in lawful.standings(said, NOW_NS)}[
        "traffic-injunction"
    ] is State.LAPSED


def test_everything_that_is_said_is_read_again(tmp_path: Path) -> None:
    home = make_box(tmp_path).home
    one, two = said_now('décret « 2026-1 » "cité" \\ 100 %'), said_now("décret 2026-2", "Zoë")
    lawful.confirm(home, one)
    lawful.set_lapse(home, VaultName.TRAFFIC, Lapse.STOP, lambda: NOW_NS)
    lawful.confirm(home, two)
    said = lawful.read(home)
    assert said.confirmations == (one, two)
    assert dict(said.stops) == {"traffic": NOW_NS}
    assert lawful.path_of(home).stat().st_mode & 0o777 == 0o600
    lawful.set_lapse(home, VaultName.TRAFFIC, Lapse.ALERT)
    assert lawful.read(home) == lawful.Said((one, two), {})


def test_what_cannot_be_meant_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    home = make_box(tmp_path).home
    with pytest.raises(UsageError, match="name the text"):
        lawful.confirm(home, said_now(""))
    assert not lawful.path_of(home).exists()


def test_stop_counts_from_the_lapse_in_paris_to_the_confirmed_renewal(tmp_path: Path) -> None:
    home = make_box(tmp_path).home
    lawful.set_lapse(home, VaultName.TRAFFIC, Lapse.STOP, lambda: LAPSED_NS - HOUR_NS)
    [spell] = lawful.stopped(lawful.read(home), VaultName.TRAFFIC)
    assert spell.first_ns == LAPSED_NS
    assert spell.until_ns == (1 << 63) - 1
    assert lawful.stopped(lawful.read(home), VaultName.SOURCE) == ()
    lawful.confirm(home, said_now("décret"))
    [spell] = lawful.stopped(lawful.read(home), VaultName.TRAFFIC)
    assert spell.first_ns == from_iso("2027-10-20T22:00:00Z")


def test_stop_does_not_reach_back_before_it_was_wanted(tmp_path: Path) -> None:
    """What was recorded under an alert is kept for its term."""
    home = make_box(tmp_path).home
    lawful.set_lapse(home, VaultName.TRAFFIC, Lapse.STOP, lambda: NOW_NS)
    lawful.set_lapse(
        home, VaultName.TRAFFIC, Lapse.STOP, lambda: NOW_NS + HOUR_NS
    )  # said again: since the first
    [spell] = lawful.stopped(lawful.read(home), VaultName.TRAFFIC)
    assert spell.first_ns == NOW_NS


@pytest.mark.parametrize(
    "text",
    [
        "[stop",
        'stop = "x"',
        "[stop]\nnonsense = 1",
        "[stop]\ntraffic = 3",
        "[[confirmed]]\nbasis = 1",
        "\xff",
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    home = make_box(tmp_path).home
    lawful.path_of(home).write_text(text, encoding="latin-1")
    with pytest.raises(HomeError, match=r"legal\.toml"):
        lawful.read(home)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
def test_what_root_says_can_be_read_by_the_services_of_the_box(tmp_path: Path) -> None:
    home = make_box(tmp_path).home
    os.chown(home.path, 12345, 12346)
    lawful.set_lapse(home, VaultName.TRAFFIC, Lapse.STOP)
    for path in (lawful.path_of(home), home.state / "legal.lock"):
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12346), path
