"""The section [replication] of box.toml: what it means, what is refused, and that it may be missing."""

from pathlib import Path

import pytest

from appliance.config import box, text
from appliance.config.replication import ReplicationConfig
from appliance.model.errors import HomeError
from tests.vault.made_homes import make_box


def written(home: Path, section: str) -> Path:
    path = home / "box.toml"
    head, _, rest = path.read_text().partition("[replication]\n")
    _, _, tail = rest.partition("[term_years]\n")
    path.write_text(f"{head}{section}\n[term_years]\n{tail}")
    return path


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = make_box(tmp_path)
    told = ReplicationConfig("http://proxy.example:3128", 2000, 100, "22:30-05:00", "Europe/Paris", "CS1")
    config = box.BoxConfig(
        made.config.site, 2, made.config.custodians, made.config.client_networks, replication=told
    )
    made.home.config.write_text(text.render(config))
    assert box.read(made.home.config).replication == told
    assert told.minutes() == (22 * 60 + 30, 5 * 60)


def test_a_home_without_the_section_has_the_defaults(tmp_path: Path) -> None:
    path = written(make_box(tmp_path).home.path, "")
    assert "[replication]" not in path.read_text()
    assert box.read(path).replication == ReplicationConfig()
    assert ReplicationConfig().minutes() is None


@pytest.mark.parametrize(
    "line",
    [
        'proxy = "https://proxy.example:3128"', 'proxy = "proxy.example:3128"', 'proxy = "http://proxy.example"',
        'proxy = "http://proxy.example:99999"', "rate_kbit = -1", "rate_kbit = 7", "floor_kbit = 0",
        'hours = "1:00-6:00"', 'hours = "01:00-24:00"', 'hours = "01:00-01:00"', 'hours = "at night"',
        'time_zone = "Paris"', 'dscp = "EF"', "rate_kbit = 1.5", "proxy = 1", "speed = 1",
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_by_its_name_and_line(tmp_path: Path, line: str) -> None:
    path = written(make_box(tmp_path).home.path, f"[replication]\n{line}\n")
    number = path.read_text().splitlines().index(line) + 1
    with pytest.raises(HomeError, match=rf"box\.toml line {number}: {line.partition(' ')[0]}: "):
        box.read(path)
