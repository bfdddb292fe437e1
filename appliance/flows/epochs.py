"""Where the clock that stamped a batch's frames was set back: the same instants come again after that."""

import numpy as np
from numpy.typing import NDArray

from appliance.model.instants import NS
from appliance.wire.packets import Packets

STEP_NS = NS
"""Frames lie in the order of their arrival, but for what several queues or a merge of captures mix up."""


def epochs(batch: list[Packets]) -> list[list[Packets]]:
    """The packets of one batch of frames, cut wherever its clock goes back by more than STEP_NS."""
    steps: dict[int, NDArray[np.int64]] = {}
    for packets in batch:
        if id(packets.frames) not in steps:
            time = packets.frames.time
            steps[id(packets.frames)] = np.flatnonzero(time[1:] < time[:-1] - STEP_NS) + 1
    if not any(map(len, steps.values())):
        return [batch]
    parts: list[list[Packets]] = [[] for _ in range(1 + max(map(len, steps.values())))]
    for packets in batch:
        epoch = np.searchsorted(steps[id(packets.frames)], packets.at, "right")
        for number in np.unique(epoch).tolist():
            parts[number].append(packets.take(np.flatnonzero(epoch == number)))
    return [part for part in parts if part]


def is_set_back(batch: list[Packets], since_ns: int) -> bool:
    """Whether the batch begins more than STEP_NS before `since_ns`, when the last frame before it came."""
    return bool(batch) and int(batch[0].frames.time[0]) < since_ns - STEP_NS
