"""A thief with the box's key, and the home that is made of what he sent: it is made, and is bounded."""

from pathlib import Path
from typing import Any

import pytest

from appliance.central.places import Central
from appliance.central.refusals import Unproven
from tests.central.made_sites import Sender, make_sender
from tests.central.servers import FOLDER
from tests.central.test_hostile_sites import Thief


@pytest.fixture
def central_kind() -> str:
    return FOLDER


@pytest.fixture
def sender(central: Central, tmp_path: Path) -> Sender:
    made = make_sender(central, tmp_path / "box")
    made.send_everything()
    return made


@pytest.mark.parametrize(
    ("custodians", "quorum"),
    [
        (["\x1b[31mX"], 1),
        (["age1x"], 1),
        ([5], 1),
        ([], 1),
        (None, 0),
        (None, 3),
        (None, True),
        (None, "2"),
        ("double", 1),
    ],
)
def test_custodians_that_there_cannot_be_are_not_stored(sender: Sender, custodians: Any, quorum: Any) -> None:
    """None: those of the box, two of them."""
    mine = list(sender.box.config.custodians)
    given = (
        {None: mine, "double": mine[:1] * 2}[custodians] if not isinstance(custodians, list) else custodians
    )
    with pytest.raises(Unproven, match=r"custodians|quorum"):
        Thief(sender).send(kind="custodians", custodians=given, quorum=quorum)
    Thief(sender).send(kind="custodians", custodians=mine[:1], quorum=1)
