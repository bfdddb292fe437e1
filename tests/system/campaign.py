"""The fault campaign: a box that records, two centrals, an evil line to each, and everything dies at random.

`python -m tests.system.campaign 500 [SEED]` meets at least so many faults and writes what came of it.
After each round the line is healed, the backlog drained, and `custody_judge` compares what lies where.
"""

import datetime as dt
import functools
import json
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.system import custody_judge
from tests.system.boxes import ROOT, greffier
from tests.system.campaign_deeds import Deeds
from tests.system.central_boxes import Place
from tests.system.chaos import Tally
from tests.system.mounts import in_own_mounts

RESULTS = ROOT / "build" / "faults.txt"


class Campaign(Deeds):
    """What follows each round."""

    def heal(self) -> None:
        """Everything works again, what is due is destroyed, and the backlog goes."""
        self.end_sender()
        for proxy in self.proxies:
            proxy.heal()
        self.record()  # its start settles what dead recorders left
        self.box.run("retention")
        for place in self.places:
            place.end(signal.SIGTERM)
            place.start()  # it looks at once for what has passed its term
        self.drain()
        # By now both have all that the box has. What it forgot when it was put back, and old totals it let
        # go, may have reached one of them only.
        greffier("central", "compare", self.places[0].folder, self.places[1].folder, "--mend")

    def drain(self) -> None:
        until = time.monotonic() + 90
        while True:
            pid = self.warm.start(
                ["replicate", "--home", str(self.box.home), "--once"], self.folder / "drain.log"
            )
            self.warm.end(pid, 0, 90)
            lacking = [name for place in self.places for name in self._lacking(place)]
            if not lacking:
                return
            assert time.monotonic() < until, f"never arrived: {lacking[:5]}\n{self._log('drain')}"

    def _lacking(self, place: Place) -> list[str]:
        kept = custody_judge.at_central(place.folder, self.site).kept
        return [name for name in custody_judge.on_box(self.box.home) if name not in kept]

    def _log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()[-2000:]

    def back_up(self) -> None:
        """Yesterday's backups of all three, for a round to come."""
        self._back_up(self.box.home)
        for place in self.places:
            place.end(signal.SIGTERM)
            self._back_up(place.folder)
            place.start()

    def judge(self) -> str:
        """Compare box and centrals; what was found, in a sentence. AssertionError with what is wrong."""
        box = custody_judge.on_box(self.box.home)
        holdings = [custody_judge.at_central(place.folder, self.site) for place in self.places]
        wrong = list(self.tally.complaints)
        for place, has in zip(self.places, holdings, strict=True):
            found = [
                *has.wrong,
                *custody_judge.wrong_chain(place.folder, self.site),
                *self._differing(box, has),
            ]
            found += self._wrong_receipts(place, has)
            wrong += [f"{place.folder.name}: {what}" for what in found]
        wrong += [
            f"only one central has {name}" for name in holdings[0].kept.items() ^ holdings[1].kept.items()
        ]
        assert not wrong, f"seed {self.seed}, {len(wrong)} wrong: " + "\n".join(wrong[:20])
        self.box.run("verify")
        for place in self.places:
            greffier("central", "verify", "--dir", place.folder)
        greffier("central", "compare", self.places[0].folder, self.places[1].folder)
        gone = sum(len(has.gone) for has in holdings)
        return (
            f"{self.tally.total} faults; {len(box)} objects equal on all three, {gone} replaced or destroyed"
        )

    def _differing(self, box: custody_judge.Objects, has: custody_judge.Holdings) -> list[str]:
        # After a rollback the box has journal files again that a seal it forgot had made needless.
        needless = has.gone if self.rolled_back else {}
        wrong = [
            f"lacks {name}" for name, sha in box.items() if has.kept.get(name) != sha and name not in needless
        ]
        if not self.rolled_back:
            # Totals that name nobody: a box deletes old ones by itself, central at the contract's end.
            strange = [name for name in has.kept if name not in box and not name.startswith("statistics/")]
            wrong += [f"has {name}, the box has not" for name in strange]
        # Of a journal file that was replaced while central died storing it, the bytes may stay behind.
        return wrong + [f"has {name} and no row" for name in has.stray if not name.startswith("journal/")]

    def _wrong_receipts(self, place: Place, has: custody_judge.Holdings) -> list[str]:
        identity = json.loads((place.folder / "identity.json").read_bytes())
        short = custody_judge.sha256_of((place.folder / "identity.json").read_bytes())[:16]
        account = (self.box.home / "replication" / short / "receipts.jsonl").read_bytes()
        lines = custody_judge.that_count(account)
        assert lines
        wrong = custody_judge.wrong_receipts(lines, identity["key"], self.site, has)
        return wrong + custody_judge.wrong_numbering(lines)


def run(
    folder: Path, seed: int, faults: int, rounds: int, patience_s: float, tell: Callable[[str], None]
) -> Tally:
    """So many rounds of at least so many faults together; AssertionError if anything is not as it must be.

    Call it with mounts of its own. Whole backups come back from the second round on.
    """
    with ExitStack() as stack:
        campaign = Campaign(folder, seed)
        campaign.set_up(stack)
        for number in range(rounds):
            if number:
                campaign.go_back()
            campaign.suffer(faults * (number + 1) // rounds - campaign.tally.total, patience_s)
            campaign.heal()
            tell(f"round {number + 1} of {rounds}: {campaign.judge()}")
            campaign.back_up()
        return campaign.tally


def main() -> None:
    faults = int(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(10**9)
    began = time.monotonic()
    print(f"seed {seed}: the same faults again with 'make faults FAULTS={faults} SEED={seed}'", flush=True)
    told: list[Tally] = []

    def body() -> None:
        with tempfile.TemporaryDirectory() as folder:
            tell = functools.partial(print, flush=True)
            told.append(run(Path(folder), seed, faults, max(2, faults // 40), 180, tell))

    in_own_mounts(body)
    [tally] = told
    taken_s = time.monotonic() - began
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(tally.faults.items()))
    line = (
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d}: {tally.total} faults in {taken_s:.0f} s, seed {seed}: {kinds}"
    )
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as results:
        results.write(line + "\n")
    print(f"{line}\nwritten to {RESULTS.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
