"""Central signs for the anchors, so that even who holds the box's key cannot write its past anew."""

import shutil
from pathlib import Path

from appliance.audit import anchors, book, volume
from appliance.audit.check import check
from appliance.central import restoring, sites, verifying
from appliance.control.steps import Step
from appliance.replication import account_check
from appliance.vault.names import Home
from appliance.vault.verify import verify
from tests.audit.test_book import CLAIRE
from tests.replication.centrals_here import box_of_hours, central_for, send_all


def test_who_has_the_boxs_key_and_rolls_everything_back_is_contradicted_by_central(tmp_path: Path) -> None:
    box = box_of_hours(tmp_path / "box", 1)
    here = central_for(box, tmp_path / "central", "north")
    send_all(box, here)
    older = box.copy_to(tmp_path / "older")
    book.note(box.home, CLAIRE, Step.END_HOLD, "order 12/2027")
    assert anchors.anchor(box.home) is not None
    send_all(box, here)
    assert not account_check.check(box.home).faults
    shutil.rmtree(volume.path_of(box.home).parent)
    shutil.copy(older.home.chain, box.home.chain)
    shutil.copy(older.home.state / "head", box.home.state / "head")
    volume.head_file(box.home).unlink()
    (box.home.state / "audit-anchor").unlink()
    book.note(box.home, CLAIRE, Step.SIGN_IN, "forged")
    assert (check(box.home).faults, verify(box.home).faults) == ([], ())
    assert account_check.check(box.home).faults


def test_a_central_keeps_anchors_and_gives_them_back_with_the_home(tmp_path: Path) -> None:
    box = box_of_hours(tmp_path / "box", 1)
    for _ in range(3):
        book.note(box.home, CLAIRE, Step.SIGN_IN)
    anchors.anchor(box.home)
    here = central_for(box, tmp_path / "central", "north")
    send_all(box, here)
    assert verifying.verify(here.central).faults == ()
    [site] = sites.every(here.central)
    [restored] = restoring.restore(here.central, site, tmp_path / "restored").homes
    home = Home(restored.home)
    checked = check(home)
    assert checked.faults == []
    assert "it had 3 lines" in checked.notices[0].what
    assert verify(home).faults == ()
