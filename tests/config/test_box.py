"""box.toml: what is written is read; what is wrong is named by key and line."""

import dataclasses
from pathlib import Path

import pytest

from appliance.config.box import BoxConfig, read
from appliance.config.capture import CaptureConfig
from appliance.config.listen import ListenConfig
from appliance.config.statistics import StatisticsConfig
from appliance.config.text import render
from appliance.config.values import canonical_network
from appliance.model.errors import HomeError

ALICE = "age1q36pqyzlaulspxqajhyeh6z28eznch9ylp75xjv65pngxhq20g2qx08d8a"
BOB = "age1myzwvu29czglhwn08z9vxs53jnl4qppnckwmf3x2qhdmxsrvhgusyk0m5g"
CONFIG = BoxConfig('Hôtel « du "Port" \\ »', 2, (ALICE, BOB), ("10.0.0.0/8", "2001:db8::/32"))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "box.toml"
    for config in (
        CONFIG,
        dataclasses.replace(CONFIG, idle_timeout_s=30, term_years={"traffic": 2, "source": 1}),
        dataclasses.replace(
            CONFIG,
            capture=CaptureConfig(("mirror0", "eth1.7"), (4789,), ("10.1.0.0/16", "2001:db8::/64"), True, 60),
        ),
        dataclasses.replace(
            CONFIG, listen=ListenConfig("10.0.0.1", (2056,), (), (), (5514, 5515), receive_buffer_mib=8)
        ),
        dataclasses.replace(CONFIG, statistics=StatisticsConfig(("00:11:22:33:44:55", "0011.2233.4466"), 30)),
    ):
        path.write_text(render(config))
        assert read(path) == config


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    path = tmp_path / "box.toml"
    path.write_text(
        f'site = "x"\nclient_networks = ["10.1.2.3/8"]\n[custody]\nquorum = 1\ncustodians = ["{ALICE}"]\n'
    )
    assert read(path) == BoxConfig("x", 1, (ALICE,), ("10.0.0.0/8",))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("quorum = 2", "quorum = 3"), r"line 14: quorum: 3 is not between 1 and .* 2"),
        (("quorum = 2", "quorum = 0"), "quorum: 0 is not between 1"),
        (("quorum = 2", 'quorum = "2"'), "quorum: must be a number"),
        (("quorum = 2", "quorum = true"), "quorum: must be a number"),
        (("quorum = 2", ""), "quorum: is missing"),
        (("quorum = 2", "quorom = 2"), "line 14: quorom: there is no such setting"),
        ((BOB, ALICE), "custodians: the same custodian is given twice"),
        ((ALICE, "age1short"), "custodians: 'age1short' is not an age recipient"),
        (("10.0.0.0/8", "ten"), "line 6: client_networks: 'ten' is not a network"),
        (
            ("idle_timeout_s = 60", "idle_timeout_s = 3600"),
            r"line \d+: idle_timeout_s: 3600 is not between 1 and 60",
        ),
        (("traffic = 1", "traffic = 0"), r"line \d+: term_years: traffic is not between 1 and 10 years"),
        (("[recording]", "[recorder]"), r"line \d+: recorder: there is no such section"),
        (("quorum = 2", "quorum ="), "not valid TOML.*line 14"),
        (("site = ", "site = 5 #"), "line 3: site: must be a text"),
        (
            ("interfaces = []", 'interfaces = ["a/b"]'),
            r"line \d+: interfaces: 'a/b' is no name",
        ),
        (("interfaces = []", 'interfaces = ["m", "m"]'), "interfaces: the same interface is given twice"),
        (("interfaces = []", 'interfaces = "m"'), "interfaces: must be a list of texts"),
        (("vxlan_ports = [4789, 8472]", "vxlan_ports = [0]"), "vxlan_ports: 0 is not between 1 and 65535"),
        (("vxlan_ports = [4789, 8472]", "vxlan_ports = [true]"), "vxlan_ports: must be a list of numbers"),
        (
            ("vxlan_ports = [4789, 8472]", "vxlan_ports = [4789, 67]"),
            "vxlan_ports: 67 is DHCP's, it would not be read there any more",
        ),
        (("tunnel_ends = []", 'tunnel_ends = ["ten"]'), r"line \d+: tunnel_ends: 'ten' is not a network"),
        (('address = "::"', 'address = "box"'), r"line \d+: address: 'box' is not an address of the box"),
        (('address = "::"', 'address = "ff02::1"'), "address: 'ff02::1' is a group of machines"),
        (
            ("radius_ports = [1813]", "radius_ports = [1813, 1813]"),
            "radius_ports: the same port is given twice",
        ),
        (("radius_ports = [1813]", "radius_ports = [0]"), "radius_ports: 0 is not between 1 and 65535"),
        (
            ("radius_ports = [1813]", "radius_ports = [514]"),
            "radius_ports: 514 is given to syslog_udp_ports already",
        ),
        (("own_traffic = false", 'own_traffic = "no"'), "record_own_traffic: must be true or false"),
        (("own_traffic = false", "own_trafic = false"), r"line \d+: record_own_trafic: there is no such"),
        (("access_points = []", 'access_points = ["ap7"]'), r"line \d+: access_points: 'ap7' is not a MAC"),
        (
            ("access_points = []", 'access_points = ["00:11:22:33:44:55", "001122334455"]'),
            "access_points: the same MAC is given twice",
        ),
        (("access_points = []", 'access_points = ["ff:ff:ff:ff:ff:ff"]'), "is no MAC of a station"),
        (("keep_days = 400", "keep_days = 0"), "keep_days: 0 is not between 1 and 4000"),
        (("minutes = 15", "minutes = 0"), "silent_alarm_minutes: 0 is not between 1 and 10080"),
    ],
)
def test_a_mistake_is_named_by_key_and_line(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = tmp_path / "box.toml"
    text = render(CONFIG)
    assert change[0] in text
    path.write_text(text.replace(*change))
    with pytest.raises(HomeError, match=message):
        read(path)


def test_a_folder_without_settings_is_no_home(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="not the home of a box"):
        read(tmp_path / "box.toml")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "box.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(HomeError, match="cannot read"):
        read(tmp_path / "box.toml")


@pytest.mark.parametrize(
    ("text", "network"), [("192.168.7.9/16", "192.168.0.0/16"), ("2001:DB8::1/32", "2001:db8::/32")]
)
def test_a_network_is_written_in_one_way(text: str, network: str) -> None:
    assert canonical_network(text) == network
