"""Who can tell how many are there: never nobody where nobody looks."""

import numpy as np
import pytest

from appliance.identity.presence import DEVICE
from appliance.services.keeping.present import believed
from appliance.services.recording.presence_form import Answer, Head, Means

SEEN = Answer(Head(Means.SEEN, 1.0, 1.0), np.zeros(4, DEVICE))
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
