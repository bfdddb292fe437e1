"""The loop that listens: its end, and what of a flood is left then."""

import time
from pathlib import Path

import numpy as np
import pytest

from appliance.config import box
from appliance.feeds.told import Messages
from appliance.listeners.arrivals import Arrival
from appliance.listeners.inlets import Inlets
from appliance.model.feeds import DeclaredSource, FeedKind
from appliance.services.feeds import listening
from appliance.services.feeds.gate import Gate
from appliance.services.feeds.intake import Intake
from appliance.services.feeds.listening import Listening
from appliance.services.feeds.rhythms import Rhythms
from appliance.services.recording.recording import recording
from appliance.vault import homes
from tests.system.boxes import make_box

NOISY = DeclaredSource("noisy", addresses=("192.0.2.1",))


class Nobody:
    def settle(self, count: int, answers: object) -> None:
        pass


def test_the_end_has_a_deadline_and_says_what_it_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "FINISH_S", 0.3)
    home = homes.existing(make_box(tmp_path, ["10.0.0.0/8"]).home)
    gate = Gate(home)
    inlets = Inlets(home.path / "listen", box.read(home.config).listen, lambda *_: False)
    try:
        with recording(home.path, Intake) as at_work:
            loop = Listening(at_work, gate, Rhythms(home.state, at_work.recorder.register.alarms), inlets)
            line = b"<30>dnsmasq-dhcp[1]: DHCPACK(br0) 10.0.0.7 02:00:00:00:00:07"
            for _ in range(40):
                messages = Messages(np.full(4000, time.time_ns()), [line] * 4000)
                loop._put(NOISY, Arrival(FeedKind.SYSLOG, "192.0.2.1", "udp", messages, Nobody()))
            began = time.monotonic()
            loop.run(0, lambda sources: None)
            took = time.monotonic() - began
            source = next(one for one in at_work.recorder.sources if one.name == "feed:noisy")
            assert source.packets > 0
            assert source.packets + source.lost["overload"] == 160_000
            assert source.lost["overload"] > 0
            assert took < 5
    finally:
        inlets.close()
