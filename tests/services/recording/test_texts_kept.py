"""Texts that no open row names are forgotten at a seal, and numbers of those that stay keep their meaning."""

import json
from pathlib import Path

from appliance.feeds.told import Teller
from appliance.model.addresses import ip_halves
from appliance.model.reasons import Evidence
from appliance.runtime.clock import now_ns
from appliance.services.feeds.intake import Intake
from appliance.services.recording.recording import recording
from tests.system.boxes import make_box


def test_a_seal_forgets_texts_that_are_in_no_use(tmp_path: Path) -> None:
    box = make_box(tmp_path, ["10.0.0.0/8"])
    with recording(box.home, Intake) as at_work:
        intake = at_work.recorder
        number = intake.number_source("feed:hall", live=True)
        for turn in range(3):
            teller, at_ns = Teller(intake.texts), now_ns()
            for guest in range(50):
                ip, mac = ip_halves(f"10.0.{turn}.{guest}"), 0x020000000000 + 256 * turn + guest
                who = {"user": f"guest {turn} {guest}", "session": f"s{turn}-{guest}", "ssid": "Hall"}
                teller.claim(at_ns, Evidence.RADIUS, mac, ip, **who)
                if guest:  # the first of each turn stays
                    teller.claim(at_ns + 1, Evidence.RADIUS, mac, ip, released=True, **who)
            intake.keep(number, teller.told(), at_ns)
            assert intake.register.journal()
            intake.register.seal(now_ns())
            assert len(intake.texts) <= 1 + 2 * (turn + 1)
        assert intake.texts.refused == 0
    rows = [
        json.loads(line) for line in box.run("bindings", *box.identities, "--format", "jsonl").splitlines()
    ]
    told = {row["ip"]: (row["user"], row["ssid"]) for row in rows if row["ip"]}
    assert told == {
        f"10.0.{turn}.{guest}": (f"guest {turn} {guest}", "Hall") for turn in range(3) for guest in range(50)
    }
