"""Receipts of one central that exclude one another: their proofs, and how often the box begins anew for them.

A central that was put back to an earlier state is believed at once, or what it lost would stay lost. One that
contradicts itself over and over, because somebody has its key, would have the box send everything without
end: it is believed again only after an hour, then two, four, at last a day. FORMAT.md specifies the files.
"""

import contextlib
from pathlib import Path

from appliance.model.errors import HomeError
from appliance.model.instants import HOUR_NS, from_iso, to_iso
from appliance.replication.line_file import append_durably, whole_lines
from appliance.replication.receipts import Receipt
from appliance.runtime.clock import Clock
from appliance.runtime.files import write_once
from appliance.vault import canonical

EVIDENCE, COUNT = "evidence.jsonl", "contradictions.json"
FORMAT = "greffier account 1"

FREE = 3
"""So often in a row at once: of one restoring, answers that were lost can show a second time, earlier."""

FIRST_NS, LONGEST_NS = HOUR_NS, 24 * HOUR_NS
QUIET_NS = 7 * 24 * HOUR_NS
"""After so long without one the count begins anew."""

MOST_PROOFS = 64
"""The first half and the last half of them are kept: at most some 350 KB."""

_DOUBLINGS = 5


class Contradictions:
    """Those of one central. Not safe between threads: `accounts.Accounts` is."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._seen, self._followed, self._at_ns = _count(folder / COUNT)

    def testify(self, came: Receipt, against: list[bytes]) -> None:
        """Keep both sides: central signed them all. Durable on return. Raises StorageError, HomeError."""
        path = self._folder / EVIDENCE
        proofs = list(whole_lines(path))
        if any(came.signature.encode("ascii") in line for line in proofs):
            return
        fields = {
            "at": to_iso(self._clock()),
            "came": came.render().decode("ascii"),
            "format": FORMAT,
            "known": [line.decode("ascii") for line in against],
        }
        proof = canonical.encode(fields) + b"\n"
        if len(proofs) < MOST_PROOFS:
            append_durably(path, proof)
        else:
            half = MOST_PROOFS // 2
            write_once(path, b"".join([*proofs[:half], *proofs[1 - half :], proof]))
        self._seen += 1
        self._write()

    def believed_again_ns(self) -> int | None:
        """From when on the next is followed; None: now. A clock that was ahead once stops nothing."""
        if self._followed < FREE or self._at_ns > self._clock():
            return None
        wait_ns = min(LONGEST_NS, FIRST_NS << min(self._followed - FREE, _DOUBLINGS))
        until_ns = self._at_ns + wait_ns
        return until_ns if until_ns > self._clock() else None

    def follow(self) -> None:
        """The box begins anew. Durable on return. Raises StorageError."""
        now_ns = self._clock()
        is_in_a_row = abs(now_ns - self._at_ns) < QUIET_NS
        self._followed = self._followed + 1 if is_in_a_row else 1
        self._at_ns = now_ns
        self._write()

    def newest_ns(self) -> int | None:
        """When there was one last; None if there never was."""
        for line in reversed(list(whole_lines(self._folder / EVIDENCE))):
            with contextlib.suppress(ValueError, TypeError, KeyError):
                return from_iso(canonical.decode(line.removesuffix(b"\n"))["at"])
        return None

    def _write(self) -> None:
        fields = {
            "at": to_iso(self._at_ns),
            "followed": self._followed,
            "format": FORMAT,
            "seen": self._seen,
        }
        write_once(self._folder / COUNT, canonical.encode(fields) + b"\n")


def _count(path: Path) -> tuple[int, int, int]:
    """Seen in all, followed in a row, and when last; zeros where there is no such file or it was damaged."""
    try:
        fields = canonical.decode(path.read_bytes().removesuffix(b"\n"))
        return int(fields["seen"]), int(fields["followed"]), from_iso(fields["at"])
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return 0, 0, 0
    except OSError as error:
        raise HomeError(f"cannot read {path}: {error.strerror}; check who owns it") from error
