"""Who can tell how many are there: never nobody where nobody looks."""

from pathlib import Path

import numpy as np
import pytest

from appliance.identity.presence import DEVICE
from appliance.services.keeping.present import believed, who_can_tell
from appliance.services.recording.presence_form import Answer, Head, Means
from tests.services.keeping.asking import set_up

SEEN = Answer(Head(Means.SEEN, 1.0, 1.0), np.zeros(4, DEVICE))
NOBODY = Answer(Head(Means.SEEN, 0.0, 0.0), np.zeros(0, DEVICE))
TOLD = Answer(Head(Means.TOLD, None, None), np.zeros(0, DEVICE))


@pytest.mark.parametrize(
    ("answers", "is_seen", "is_told", "found"),
    [
        ([], True, True, []),
        ([SEEN], True, False, [SEEN]),
        ([SEEN], False, False, [SEEN]),  # an interface that was named to the recorder by hand
        ([TOLD], False, False, []),  # a listener to whom nobody was declared
        ([SEEN, TOLD], True, False, [SEEN]),
        ([TOLD], True, True, []),  # the mirror's recorder has ended
        ([TOLD], False, True, [TOLD]),
        ([SEEN, TOLD], True, True, [SEEN, TOLD]),
    ],
)
def test_only_who_ought_to_know_is_believed(
    answers: list[Answer], is_seen: bool, is_told: bool, found: list[Answer]
) -> None:
    assert believed(answers, is_seen, is_told) == found


def test_that_nobody_is_there_only_those_say_who_look_everywhere(tmp_path: Path) -> None:
    """By one of two interfaces guests are seen, but not that there is none."""
    partly = set_up(tmp_path / "partly", interfaces=("gone0",)).at
    assert who_can_tell(partly, [NOBODY]) == []
    assert who_can_tell(partly, [SEEN]) == [SEEN]
    by_hand = set_up(tmp_path / "by hand").at
    assert who_can_tell(by_hand, [NOBODY]) == [NOBODY]
