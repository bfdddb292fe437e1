"""A short fault campaign in every test run; `make faults` is the long one."""

import os
import random
from pathlib import Path

import pytest

from tests.system import campaign
from tests.system.mounts import in_own_mounts
from tests.system.networks import may_make

FAULTS = 40


@pytest.mark.skipif(not may_make(), reason="needs root to mount a disk")
def test_whatever_the_line_and_the_machines_do_box_and_centrals_agree(tmp_path: Path) -> None:
    """The seed is in the message of a failure: `make faults FAULTS=60 SEED=...`."""
    seed = 20261122 if os.environ.get("CI") else random.SystemRandom().randrange(10**9)
    said: list[str] = []
    tallies: list[campaign.Tally] = []
    in_own_mounts(lambda: tallies.append(campaign.run(tmp_path, seed, FAULTS, 2, 25, said.append)))
    [tally] = tallies
    assert tally.total >= FAULTS / 2, f"seed {seed}: too few faults to mean anything, {tally.faults}"
    assert len(tally.faults) >= 8, f"seed {seed}: {tally.faults}"
    assert len(said) == 2
