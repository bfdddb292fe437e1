"""Millions of damaged frames through `wire`: `python -m tests.fuzz.batches INPUTS [--seed N]`.

Frames of the cases and of the forges are cut, spliced, repeated and overwritten in whole batches, so that
ten million take minutes. Of every batch: nothing raises, nothing is invented, no byte behind a frame is read;
of a few of its frames: each is accounted for by itself. At the end the memory must be what it was.
A finding is shrunk to as few frames as show it and saved; `--replay FILE` shows it again.
"""

import argparse
import json
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import Frames
from appliance.wire.decode import Decoder
from tests.fuzz import mutation, seeds
from tests.fuzz.batch_invariants import check_accounts, check_alone, check_batch, check_canary

BATCH = 32_768
ALONE = 8
"""Frames of a batch that are decoded once more, each by itself."""

SECOND_LOOK_EVERY = 8
"""Every so many batches are decoded again, with other bytes behind the frames and without what may be ARP."""

FOUND = Path("build/fuzz")
ETHERNET_SHARE = 0.5
UNKNOWN_LINKS = 0.02
GROWTH_BYTES = 64 << 20
"""numpy and the allocator keep some; a leak of a byte an input shows."""

Content = tuple[bytes, int]
"""A frame's bytes, and how many it had on the wire."""


class Campaign:
    """A run: all of it follows from `seed`."""

    def __init__(self, seed: int, forges: tuple[str, ...] = seeds.FORGED) -> None:
        self.seed = seed
        self.inputs = 0
        self.packets = 0
        self.slowest_s = 0.0
        self._chance = np.random.default_rng(seed)
        by_link = seeds.by_link_type(forges)
        self._seeds = [mutation.as_seeds(link, contents) for link, contents in by_link.items()]
        self._ethernet = next(each for each in self._seeds if each.link_type == 1)
        self._decoder = Decoder()

    def run(self, inputs: int) -> None:
        """At least `inputs` more frames. Raises Finding."""
        until = self.inputs + inputs
        while self.inputs < until:
            self._batch(min(BATCH, until - self.inputs))

    def _batch(self, count: int) -> None:
        frames = mutation.batch(self._pick(), self._chance, count)
        begun = time.monotonic()
        try:
            self.packets += check_batch(frames, self._decoder)
            self.slowest_s = max(self.slowest_s, time.monotonic() - begun)
            if self.inputs // BATCH % SECOND_LOOK_EVERY == 0:
                check_canary(frames)
                check_accounts(frames)
            check_alone(frames, self._chance.integers(count, size=min(ALONE, count)))
        except Exception as error:
            raise Finding(error, frames, self.seed) from error
        self.inputs += count

    def _pick(self) -> mutation.Seeds:
        kind = self._chance.random()
        picked = self._ethernet
        if kind > ETHERNET_SHARE:
            picked = self._seeds[self._chance.integers(len(self._seeds))]
        if kind < UNKNOWN_LINKS:
            link_type = int(self._chance.integers(1 << 17))
            picked = mutation.Seeds(link_type, picked.bytes, picked.size)
        return picked


class Finding(Exception):
    """A batch that breaks a promise."""

    def __init__(self, error: Exception, frames: Frames, seed: int) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.frames = frames
        self.seed = seed

    def save(self) -> Path:
        """Shrink to few frames and write them down; returns where."""
        link_type, vlan = self.frames.link_type, self.frames.vlan
        tags = [None] * len(self.frames) if vlan is None else vlan.tolist()
        contents = shrunk(link_type, list(zip(_contents(self.frames), tags, strict=True)))
        FOUND.mkdir(parents=True, exist_ok=True)
        path = FOUND / f"finding-{self.seed}.json"
        told = [
            {"bytes": content.hex(), "length": length, "vlan": tag} for (content, length), tag in contents
        ]
        path.write_text(json.dumps({"link_type": link_type, "says": str(self), "frames": told}, indent=1))
        return path


def _contents(frames: Frames) -> list[Content]:
    whole = frames.data.tobytes()
    places = zip(frames.offsets.tolist(), frames.captured.tolist(), frames.length.tolist(), strict=True)
    return [(whole[at : at + size], length) for at, size, length in places]


def _frames(link_type: int, contents: Sequence[tuple[Content, int | None]]) -> Frames:
    rows = mutation.as_seeds(link_type, [content for (content, _), _ in contents])
    length = np.array([length for (_, length), _ in contents], np.int64)
    tags = [tag for _, tag in contents]
    vlan: NDArray[np.int16] | None = None if None in tags else np.array(tags, np.int16)
    return mutation.laid_out(rows.bytes, rows.size, length, link_type, vlan, canary=0xA5)


def check(link_type: int, contents: Sequence[tuple[Content, int | None]]) -> None:
    """Everything that must hold, of a few frames. Raises what is wrong."""
    frames = _frames(link_type, contents)
    check_batch(frames, Decoder())
    check_canary(frames)
    check_accounts(frames)
    check_alone(frames, np.arange(min(len(frames), ALONE)))


def shrunk(link_type: int, contents: list[tuple[Content, int | None]]) -> list[tuple[Content, int | None]]:
    """As few of the frames as still break a promise, in as few bytes; all, if only the whole run does."""

    def fails(some: Sequence[tuple[Content, int | None]]) -> bool:
        try:
            check(link_type, some)
        except Exception:  # noqa: BLE001 (whatever it is, it is the finding)
            return True
        return False

    if not fails(contents):
        return contents
    parts = 2
    while len(contents) > 1 and parts <= len(contents):
        size = -(-len(contents) // parts)
        pieces = [contents[at : at + size] for at in range(0, len(contents), size)]
        smaller = next((piece for piece in pieces if fails(piece)), None)
        contents, parts = (smaller, 2) if smaller is not None else (contents, parts * 2)
    return (
        [_shortened(each, lambda some: fails([some])) for each in contents]
        if len(contents) == 1
        else contents
    )


def _shortened(
    frame: tuple[Content, int | None], fails: Callable[[tuple[Content, int | None]], bool]
) -> tuple[Content, int | None]:
    (content, length), tag = frame
    step = len(content) // 2
    while step:
        shorter = ((content[:-step], length), tag)
        if step < len(content) and fails(shorter):
            content = content[:-step]
        else:
            step //= 2
    return (content, length), tag


def resident_bytes() -> int:
    """What this process holds in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def main(arguments: list[str]) -> int:
    """0 if everything held."""
    parser = argparse.ArgumentParser(prog="tests.fuzz.batches")
    parser.add_argument("inputs", type=int, nargs="?", default=10_000_000)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("--replay", type=Path)
    given = parser.parse_args(arguments)
    if given.replay:
        said = json.loads(given.replay.read_text())
        frames = [((bytes.fromhex(f["bytes"]), f["length"]), f["vlan"]) for f in said["frames"]]
        check(said["link_type"], frames)
        print("nothing is wrong any more")
        return 0
    print(f"seed {given.seed}", flush=True)
    campaign = Campaign(given.seed)
    try:
        campaign.run(min(BATCH * 2 * SECOND_LOOK_EVERY, given.inputs // 10))
        before, begun = resident_bytes(), time.monotonic()
        campaign.run(given.inputs - campaign.inputs)
    except Finding as finding:
        print(f"{finding}\nsaved: {finding.save()}", file=sys.stderr)
        return 1
    took, grown = time.monotonic() - begun, resident_bytes() - before
    rate = campaign.inputs / took
    print(f"{campaign.inputs:,} inputs gave {campaign.packets:,} packets; {rate:,.0f} inputs a second")
    print(f"slowest batch of {BATCH:,}: {campaign.slowest_s:.2f} s; memory grew by {grown / 2**20:.1f} MiB")
    return 0 if grown < GROWTH_BYTES else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
