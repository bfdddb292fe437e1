"""A bounded run of what `make fuzz-wire` runs at length, and proof that it finds what is wrong."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from appliance.model.frames import Frames
from appliance.model.reasons import Refusal
from appliance.wire.decode import Decoded, Decoder
from tests.fuzz import batches, seeds

INPUTS = 200_000


def test_two_hundred_thousand_damaged_frames() -> None:
    campaign = batches.Campaign(1, seeds.QUICKLY_FORGED)
    campaign.run(INPUTS)
    assert campaign.inputs == INPUTS
    assert campaign.packets > INPUTS // 10


def reads_on(frames: Frames, said: Decoded) -> Decoded:
    """Believes ten more bytes to be captured than were."""
    return Decoder().decode(replace(frames, captured=frames.captured + 10))


def forgets_one(frames: Frames, said: Decoded) -> Decoded:
    """Neither packet nor refusal for a frame that is empty."""
    return replace(said, refused={reason: n for reason, n in said.refused.items() if reason != Refusal.EMPTY})


def raises(frames: Frames, said: Decoded) -> Decoded:
    raise IndexError("beyond the end")


def writes(frames: Frames, said: Decoded) -> Decoded:
    frames.data[frames.offsets[frames.captured > 0]] ^= np.uint8(1)
    return said


@pytest.mark.parametrize("fault", [reads_on, forgets_one, raises, writes])
def test_a_faulty_decoder_is_found_shrunk_and_shown_again(
    fault: Callable[[Frames, Decoded], Decoded], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Faulty(Decoder):
        def decode(self, frames: Frames) -> Decoded:
            return fault(frames, super().decode(frames))

    monkeypatch.setattr(batches, "FOUND", tmp_path)
    monkeypatch.setattr("tests.fuzz.batches.BATCH", 2048)
    with monkeypatch.context() as broken:
        broken.setattr(batches, "Decoder", Faulty)
        broken.setattr("tests.fuzz.batch_invariants.Decoder", Faulty)
        campaign = batches.Campaign(7, ())
        with pytest.raises(batches.Finding) as found:
            campaign.run(INPUTS)
        saved = found.value.save()
        assert len(json.loads(saved.read_text())["frames"]) == 1
        with pytest.raises((AssertionError, IndexError)):
            batches.main(["--replay", str(saved)])
    assert batches.main(["--replay", str(saved)]) == 0
