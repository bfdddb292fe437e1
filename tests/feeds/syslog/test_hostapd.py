"""A real hostapd (802.1X on a cable: no radio is needed) logs a real supplicant."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from appliance.feeds.syslog.decoder import SyslogDecoder
from appliance.feeds.told import Messages
from appliance.model.reasons import Evidence
from appliance.model.texts import Texts
from appliance.runtime.clock import now_ns
from tests.feeds.syslog.reading import tell
from tests.system.networks import Network, may_make

MAC, AP_MAC = "a4:bb:cc:dd:ee:01", 0x020000000001
HOSTAPD = """interface=srv
driver=wired
logger_stdout=-1
logger_stdout_level=0
ieee8021x=1
eap_server=1
eap_user_file={folder}/users
"""
SUPPLICANT = """ctrl_interface={folder}/control
ap_scan=0
network={{
    key_mgmt=IEEE8021X
    eap=MD5
    identity="{user}"
    password="secret"
    eapol_flags=0
}}
"""


@contextlib.contextmanager
def running(network: Network, out: Path, *command: str) -> Iterator[None]:
    with network.inside(), open(out, "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def until(log: Path, word: str) -> None:
    end = time.monotonic() + 15
    while word not in log.read_text():
        assert time.monotonic() < end, f"{word} was never logged: {log.read_text()}"
        time.sleep(0.05)


@pytest.mark.skipif(not may_make(), reason="only root may make a network")
def test_a_station_comes_and_goes(tmp_path: Path) -> None:
    (tmp_path / "users").write_text('"bob" MD5 "secret"\n')
    (tmp_path / "hostapd.conf").write_text(HOSTAPD.format(folder=tmp_path))
    (tmp_path / "supplicant.conf").write_text(SUPPLICANT.format(folder=tmp_path, user="bob"))
    log = tmp_path / "hostapd.log"
    with Network() as network:
        network.run("ip", "link", "add", "srv", "type", "veth", "peer", "name", "cli")
        network.run("ip", "link", "set", "cli", "address", MAC)
        network.run("ip", "link", "set", "srv", "up")
        network.run("ip", "link", "set", "cli", "up")
        with running(network, log, "hostapd", "-t", str(tmp_path / "hostapd.conf")):
            until(log, "AP-ENABLED")
            command = ("wpa_supplicant", "-Dwired", "-icli", f"-c{tmp_path}/supplicant.conf")
            with running(network, tmp_path / "supplicant.log", *command):
                until(tmp_path / "supplicant.log", "CTRL-EVENT-CONNECTED")
                until(log, "authenticated - EAP")
    said = log.read_text()
    texts = Texts()
    told = tell(said.splitlines(), reference_ns=now_ns(), ap_mac=AP_MAC, texts=texts)
    rows = told.claims
    assert {int(mac) for mac in rows["mac"]} == {int(MAC.replace(":", ""), 16)}
    assert {int(mac) for mac in rows["ap_mac"]} == {AP_MAC} == set(told.spoken_by)
    assert set(rows["evidence"].tolist()) == {Evidence.ASSOCIATION}
    assert not rows["ip_hi"].any()
    assert not rows["ip_lo"].any()
    assert abs(int(rows["seen"].max()) - now_ns()) < 60 * 10**9
    joined, left = said.count("AP-STA-CONNECTED"), said.count("AP-STA-DISCONNECTED")
    sessions = said.count("starting accounting session")
    assert (joined, left, sessions) == (1, 1, 1)
    assert rows["released"].tolist() == [False, False, True]
    session = said.partition("starting accounting session ")[2].split()[0]
    assert [texts.all()[number] for number in rows["session"]] == ["", session, ""]


def test_a_station_that_moves_to_the_other_radio_has_not_left() -> None:
    """The form of OpenWrt's log: the old radio throws the station off minutes after the new one has it."""
    lines = [
        "hostapd: phy0-ap0: STA a4:bb:cc:dd:ee:01 IEEE 802.11: associated (aid 1)",
        "hostapd: phy1-ap0: STA a4:bb:cc:dd:ee:01 IEEE 802.11: associated (aid 1)",
        "hostapd: phy0-ap0: AP-STA-DISCONNECTED a4:bb:cc:dd:ee:01",
        "hostapd: phy0-ap0: STA a4:bb:cc:dd:ee:01 IEEE 802.11: disassociated due to inactivity",
        "hostapd: phy1-ap0: AP-STA-DISCONNECTED a4:bb:cc:dd:ee:01",
    ]
    told = tell(lines, now_ns(), ap_mac=AP_MAC)
    assert told.claims["released"].tolist() == [False, False, True]
    assert told.refused["nothing_to_keep"] == 2


def test_how_many_stations_are_remembered_is_bounded() -> None:
    lines = [
        f"hostapd: wlan0: STA a4:bb:cc:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x} "
        "IEEE 802.11: associated (aid 1)"
        for number in range(20_000)
    ]
    decoder = SyslogDecoder(Texts(), "UTC")
    decoder.decode(Messages(np.full(20_000, now_ns()), [line.encode() for line in lines]))
    assert len(decoder._places) == 8192
