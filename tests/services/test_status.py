"""What `greffier status` says of a home, of what its chain and its recorders say."""

from pathlib import Path

from appliance.model.instants import HOUR_NS, MINUTE_NS
from appliance.services.status import status
from appliance.vault.names import VaultName
from tests.vault.made_homes import NOW_NS, SOURCES, make_box
from tests.vault.made_rows import TEXTS, held, traffic


def test_the_last_record_lies_never_in_the_future(tmp_path: Path) -> None:
    """Who holds an address is recorded until the end of his hour, or of his lease."""
    box = make_box(tmp_path)
    with box.recording() as (run, _):
        rows = held()
        rows["from"], rows["until"] = NOW_NS - MINUTE_NS, NOW_NS + HOUR_NS
        box.writer(run, VaultName.SOURCE).seal(rows, SOURCES, (), TEXTS)
    assert status(box.home, NOW_NS).last_record_ns == NOW_NS - MINUTE_NS
    flows = traffic(30)
    flows["last_seen"] = NOW_NS + MINUTE_NS  # by its device's clock
    box.record(flows)
    assert status(box.home, NOW_NS).last_record_ns == NOW_NS
    assert status(box.home, NOW_NS + HOUR_NS).last_record_ns == NOW_NS + MINUTE_NS
