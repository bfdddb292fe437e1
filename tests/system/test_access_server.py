"""hostapd as a RADIUS client that nobody here wrote: what it logs of its sessions is what is recorded.

A wired port with IEEE 802.1X, since there is no radio here: sessions and accounting are those of its Wi-Fi,
Accounting-On and Accounting-Off included.
"""

import contextlib
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.model.instants import from_iso
from tests.system.listening import feed_box, listening
from tests.system.networks import Network, may_make
from tests.system.senders import SECRET
from tests.system.warm import wait_for

NS = 10**9
SOURCES = f'[[source]]\nlabel = "hall"\naddresses = ["127.0.0.1"]\nkinds = ["radius"]\nsecret = "{SECRET}"\n'
SERVER = """interface=port
driver=wired
logger_stdout=-1
logger_stdout_level=0
ieee8021x=1
eap_server=1
eap_user_file={users}
own_ip_addr=127.0.0.1
nas_identifier=hall
acct_server_addr=127.0.0.1
acct_server_port={radius}
acct_server_shared_secret={secret}
use_pae_group_addr=1
"""
STATION = (
    'ap_scan=0\nnetwork={{\nkey_mgmt=IEEE8021X\neap=MD5\nidentity="{user}"\npassword="x"\neapol_flags=0\n}}\n'
)
_SESSION = re.compile(
    r"^(\d+)\.\d+: .*STA (\S+) RADIUS: (starting|stopped) accounting session (\S+)", re.MULTILINE
)

ASKED, ANSWERED = "Sending RADIUS message to accounting", "RADIUS packet matched with a pending request"

needs_root = pytest.mark.skipif(not may_make(), reason="needs root to make a network namespace")


class Processes(contextlib.ExitStack):
    """Programs in a network of the test's own, each with its words in a file; none outlives the test."""

    def __init__(self, network: Network, folder: Path) -> None:
        super().__init__()
        self._network, self._folder = network, folder

    def start(self, name: str, *command: str | Path) -> tuple["subprocess.Popen[bytes]", Callable[[], str]]:
        said = self._folder / f"{name}.log"
        with self._network.inside(), said.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        self.callback(end, process)
        return process, said.read_text


def end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    process.wait(timeout=20)


def sessions(said: str) -> list[tuple[str, str, str, int]]:
    """(session, `starting` or `stopped`, station, UNIX second) as hostapd says them."""
    found = _SESSION.findall(said)
    return [(session, what, station, int(second)) for second, station, what, session in found]


def serve(processes: Processes, folder: Path, number: int, user: str, in_order: bool) -> str:
    """A life of hostapd with one session, that ends in order or is killed with it open; what it said."""
    server, said = processes.start(f"hostapd{number}", "hostapd", "-t", folder / "server")
    (folder / user).write_text(STATION.format(user=user))
    device = ("wpa_supplicant", "-Dwired", "-i", "device", "-c", folder / user)
    station, _ = processes.start(user, *device)
    wait_for(lambda: sessions(said()), 20, f"a session of {user}")
    wait_for(lambda: said().count(ANSWERED) >= said().count(ASKED), 20, "answers")
    time.sleep(1.1)  # instants are whole seconds
    if not in_order:
        server.kill()
    end(server)
    end(station)
    return said()


@needs_root
def test_the_sessions_of_hostapd_are_recorded_as_it_logs_them(tmp_path: Path) -> None:
    """The first is cut off: only the Accounting-On of the next life says that it is over."""
    box, ports = feed_box(tmp_path, ["10.0.0.0/8"], SOURCES)
    (tmp_path / "users").write_text('"alice" MD5 "x"\n"bob" MD5 "x"\n')
    settings = SERVER.format(users=tmp_path / "users", radius=ports["radius"], secret=SECRET)
    (tmp_path / "server").write_text(settings)
    with Network() as network, Processes(network, tmp_path) as processes:
        network.run("ip", "link", "set", "lo", "up")
        network.cable("port", "device")
        with network.inside():
            listener = processes.enter_context(listening(box, ports))
        killed = serve(processes, tmp_path, 0, "alice", in_order=False)
        ended = serve(processes, tmp_path, 1, "bob", in_order=True)
        listener.end()
    ((first, _, station, begun),) = sessions(killed)
    (second, _, _, begun_anew), (same, what, _, stopped) = sessions(ended)
    assert (same, what) == (second, "stopped")
    on = int(re.findall(r"^(\d+)\.", ended, re.MULTILINE)[0])
    rows = box.json("bindings", *box.identities, "--mac", station)["rows"]
    assert [row["session"] for row in sorted(rows, key=lambda row: str(row["from"]))] == [first, second]
    for row in rows:
        assert (row["evidence"], row["ip"], row["ssid"]) == ("radius", None, None)
        since, until = (begun, on) if row["session"] == first else (begun_anew, stopped)
        assert abs(from_iso(row["from"]) // NS - since) <= 1
        assert abs(from_iso(row["until"]) // NS - until) <= 1
    box.run("verify")
