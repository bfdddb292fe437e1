"""A defect that a file finds in a decoder costs the message that found it, and is said at the end."""

import os
from pathlib import Path

import pytest

from appliance.feeds.syslog import decoder
from appliance.feeds.syslog.header import Head
from appliance.model.feeds import FeedKind
from appliance.services.feeds.fed import Order
from appliance.services.feeds.feeding import Feeding
from appliance.services.feeds.intake import Intake
from appliance.services.recording.recording import recording
from tests.system.boxes import make_box

LINE = "Jan  1 00:0{0}:00 gw dnsmasq-dhcp[77]: DHCPACK(br-lan) 10.7.0.5{0} 02:77:00:00:00:0{0} phone"
WRITTEN_S = 1_609_462_800  # 2021-01-01T01:00:00Z


def test_other_lines_are_recorded_and_in_the_year_of_their_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell = decoder.SyslogDecoder._tell

    def fragile(self: decoder.SyslogDecoder, received_ns: int, head: Head, is_believed: bool) -> None:
        if "boom" in head.text:
            raise ZeroDivisionError("10.7.0.59")
        tell(self, received_ns, head, is_believed)

    monkeypatch.setattr(decoder.SyslogDecoder, "_tell", fragile)
    box, log = make_box(tmp_path, ["10.0.0.0/8"]), tmp_path / "messages"
    log.write_text("\n".join([LINE.format(1), "Jan  1 00:01:00 gw boom", LINE.format(2), "boom"]) + "\n")
    os.utime(log, (WRITTEN_S, WRITTEN_S))
    with recording(box.home, Intake) as at_work:
        feeding = Feeding(at_work, Order(FeedKind.SYSLOG, time_zone="UTC"), (), lambda done: None)
        feeding.run([log])
    report = at_work.report
    assert report.refused == {"defect": 2}
    (note,) = report.notes
    assert "ZeroDivisionError in fragile of test_fed_defects.py" in note
    assert "10.7.0.59" not in note
    rows = {row.split(",")[0]: row for row in box.run("bindings", *box.identities).splitlines()}
    held = [row for row in rows.values() if "02:77:00" in row]
    assert len(held) == 2, rows
    assert all("2021-01-01" in row for row in held)
