"""Changing box.toml by program: what somebody wrote there stays, and what cannot be meant changes nothing."""

import tomllib
from pathlib import Path

import pytest

from appliance.config import box as box_config
from appliance.model.errors import HomeError, UsageError
from appliance.services import box_settings
from tests.vault.made_homes import make_box


def test_only_what_is_changed_is_changed(tmp_path: Path) -> None:
    home = make_box(tmp_path).home
    text = home.config.read_text().replace("[capture]", "# la baie est au sous-sol\n[capture]")
    home.config.write_text(text)
    before = tomllib.loads(text)
    box_settings.change(home, interfaces=("mirror0", "mirror1"))
    after = home.config.read_text()
    assert [line for line in after.splitlines() if line not in text.splitlines()] == [
        'interfaces = ["mirror0", "mirror1"]'
    ]
    assert "# la baie est au sous-sol" in after
    before["capture"]["interfaces"] = ["mirror0", "mirror1"]
    assert tomllib.loads(after) == before


def test_everything_at_once_is_what_is_read_back(tmp_path: Path) -> None:
    home = make_box(tmp_path).home
    box_settings.change(home, ("192.168.7.9/24", "2001:db8::/48"), ("mirror0",), ("02:00:00:00:00:01",))
    config = box_config.read(home.config)
    assert config.client_networks == ("192.168.7.0/24", "2001:db8::/48")
    assert config.capture.interfaces == ("mirror0",)
    assert config.statistics.access_points == ("02:00:00:00:00:01",)
    box_settings.change(home, interfaces=())
    assert box_config.read(home.config).capture.interfaces == ()
    assert home.config.stat().st_mode & 0o777 == 0o600


def test_a_section_that_somebody_removed_is_put_back(tmp_path: Path) -> None:
    home = make_box(tmp_path).home
    text = home.config.read_text()
    home.config.write_text(text[: text.index("[statistics]")] + text[text.index("[inventory]") :])
    box_settings.change(home, access_points=("02:00:00:00:00:01",))
    assert box_config.read(home.config).statistics.access_points == ("02:00:00:00:00:01",)


@pytest.mark.parametrize(
    "wrong",
    [
        {"networks": ()},
        {"networks": ("10.0.0.0/40",)},
        {"networks": ("10.0.0.0/8\n[custody]",)},
        {"interfaces": ("a name too long for one",)},
        {"interfaces": ("mirror0", "mirror0")},
        {"access_points": ("ff:ff:ff:ff:ff:ff",)},
    ],
)
def test_what_cannot_be_meant_leaves_all_as_it_was(tmp_path: Path, wrong: dict[str, tuple[str, ...]]) -> None:
    home = make_box(tmp_path).home
    before = home.config.read_bytes()
    with pytest.raises(UsageError):
        box_settings.change(home, **wrong)
    assert home.config.read_bytes() == before


def test_a_file_that_cannot_be_read_is_not_written_over(tmp_path: Path) -> None:
    home = make_box(tmp_path).home
    home.config.write_text("site = \n")
    with pytest.raises(HomeError):
        box_settings.change(home, interfaces=("mirror0",))
    assert home.config.read_text() == "site = \n"


@pytest.mark.parametrize("many", [1, 2, 3])
def test_two_custodians_come_together_unless_there_is_one(tmp_path: Path, many: int) -> None:
    keys = make_box(tmp_path / "keys", custodians=many, quorum=1).config.custodians
    made = box_settings.set_up(tmp_path / "home", " Hôtel ", keys, None, ("10.0.0.0/8", "10.0.0.0/8"))
    assert (made.config.site, made.config.quorum) == ("Hôtel", min(2, many))
    assert made.config.client_networks == ("10.0.0.0/8",)
    assert box_config.read(made.home.config) == made.config


@pytest.mark.parametrize(
    ("many", "said"),
    [
        ({"networks": tuple(f"10.{i >> 8}.{i & 255}.0/24" for i in range(1_001))}, "at most 1,000"),
        ({"networks": ("10.0.0.0/8",) * 50_000}, "at most 1,000"),
        ({"interfaces": tuple(f"eth{i}" for i in range(65))}, "at most 64"),
        ({"access_points": ("02:00:00:00:00:01",) * 50_000}, "at most 4,000"),
    ],
)
def test_more_than_a_site_has_is_refused_by_its_number_alone(
    tmp_path: Path, many: dict[str, tuple[str, ...]], said: str
) -> None:
    home = make_box(tmp_path).home
    before = home.config.read_bytes()
    for refusing in (box_settings.check, box_settings.change):
        with pytest.raises(UsageError, match=said):
            refusing(home, **many)
    assert home.config.read_bytes() == before


def test_as_many_as_there_may_be_are_written_and_read_back(tmp_path: Path) -> None:
    home = make_box(tmp_path).home
    networks = tuple(f"10.{i >> 8}.{i & 255}.0/24" for i in range(1_000))
    macs = tuple(f"02:00:00:00:{i >> 8:02x}:{i & 255:02x}" for i in range(4_000))
    interfaces = tuple(f"eth{i}" for i in range(64))
    box_settings.change(home, networks, interfaces, macs)
    config = box_config.read(home.config)
    assert (config.client_networks, config.capture.interfaces) == (networks, interfaces)
    assert config.statistics.access_points == macs
