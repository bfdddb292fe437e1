"""A decoder that survives its own defects: a message that it fails on must not silence other sources."""

import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import PurePath

import numpy as np

from appliance.feeds.told import Decoder, Messages, Told
from appliance.model.reasons import Refusal


class Guarded:
    """Decodes as `make()` does. A message that makes it raise is refused, the decoder begun anew.

    `failed` is told of it: decoders raise nothing, so this is a defect of ours that somebody must mend.
    """

    def __init__(self, make: Callable[[], Decoder], failed: Callable[[Exception], None]) -> None:
        self._make = make
        self._failed = failed
        self._decoder = make()

    def decode(self, messages: Messages) -> Told:
        try:
            return self._decoder.decode(messages)
        except Exception as error:  # noqa: BLE001 - whatever a hostile message may have found
            self._begin_anew(error)
        return _together([self._alone(messages, number) for number in range(len(messages))])

    def expire(self, now_ns: int) -> Told:
        try:
            return self._decoder.expire(now_ns)
        except Exception as error:  # noqa: BLE001 - as above
            self._begin_anew(error)
            return Told()

    def _alone(self, messages: Messages, number: int) -> Told:
        one = slice(number, number + 1)
        try:
            return self._decoder.decode(Messages(messages.received_ns[one], messages.payloads[one]))
        except Exception as error:  # noqa: BLE001 - as above
            self._begin_anew(error)
            return Told(refused=Counter({Refusal.DEFECT: 1}), answers=[b""])

    def _begin_anew(self, error: Exception) -> None:
        """What it had half told is told by nobody: it is decoded again, message by message."""
        self._decoder = self._make()
        self._failed(error)


def defect(error: Exception) -> str:
    """What to say of an error. Only where it was raised: what it says may hold an address."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} in {at.name} of {PurePath(at.filename).name}, line {at.lineno}"
    return (
        f"a message could not be decoded because of a defect of Greffier ({where}); it is counted, all "
        "others are recorded: please report it"
    )


def _together(parts: list[Told]) -> Told:
    counts: tuple[Counter[str], Counter[str], Counter[str]] = Counter(), Counter(), Counter()
    for part in parts:
        for total, of_part in zip(counts, (part.refused, part.noted, part.lost), strict=True):
            total.update(of_part)
    return Told(
        np.concatenate([part.flows for part in parts]),
        np.concatenate([part.claims for part in parts]),
        np.concatenate([part.translations for part in parts]),
        *counts,
        [answer for part in parts for answer in part.answers],
        frozenset().union(*(part.spoken_by for part in parts)),
    )
