"""Takes in what a courier brings: every whole object of every parcel, by the same proofs as over the line.

A stick proves nothing by itself. Each claim is signed and each object hashed and proved where it is stored,
so a stick may be cut off, worn, old, read twice or forged: what is taken is right, what is not is named.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from appliance.central.ledger import Ledger
from appliance.central.places import Central
from appliance.central.stick_receipts import StickReceipts
from appliance.central.tables import Site
from appliance.replication.names import Kind
from appliance.replication.parcel_reader import Found, Parcel, State
from appliance.replication.stick import Stick
from appliance.replication.targets import Conflict, Refused, Replaced, Target, TooEarly
from appliance.runtime.clock import Clock, now_ns

Progress = Callable[[int, int], None]
"""Told (bytes of parcels looked at, bytes of all parcels)."""

_READ_FAILURES = 16
"""So many objects in a row that the stick does not give: it is gone, or as good as gone."""
_NAMED = 20
"""Objects are named to a person up to here; more are counted."""


@dataclass
class Delivery:
    """What came of one parcel. `new` are objects that were not here before, `known` those that were.

    `early` rest on something that has not come; `needless` were replaced or destroyed meanwhile; `refused`
    are counted by reason and `named` as far as there are few; `unreadable` the stick did not give.
    """

    parcel: str
    site: str
    state: State
    new: int = 0
    known: int = 0
    early: int = 0
    needless: int = 0
    unreadable: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    named: list[tuple[str, str]] = field(default_factory=list)

    @property
    def taken(self) -> int:
        return self.new + self.known

    @property
    def is_taken(self) -> bool:
        """Whether everything that lies in the parcel was taken; one that was cut off has no more."""
        readable = self.state in (State.WHOLE, State.CUT_OFF)
        return readable and not (self.early or self.unreadable or self.refused)

    def refuse(self, name: str, why: str) -> None:
        """Note an object that was not taken."""
        self.refused[why] += 1
        if len(self.named) < _NAMED:
            self.named.append((name, why))


@dataclass(frozen=True)
class Report:
    """What came of a stick. `lost` receipts could not be written on it, for the reason `refusal`."""

    deliveries: tuple[Delivery, ...]
    receipts: int
    lost: int
    refusal: str | None


class Reading:
    """One reading of one stick by one central. `target` takes the objects: a Receiver."""

    def __init__(
        self,
        central: Central,
        target: Target,
        stick: Stick,
        clock: Clock = now_ns,
        progress: Progress = lambda done, total: None,
    ) -> None:
        self._central = central
        self._target = target
        self._stick = stick
        self._clock = clock
        self._progress = progress
        self._receipts = StickReceipts(stick, central.signer.fingerprint, clock)
        self._counted = {site.fingerprint: site.receipts for site in self._sites()}
        self._new: set[tuple[str, int]] = set()
        self._failures = 0

    def run(self) -> Report:
        """Take in everything that can be. What was taken has its receipt on the stick whatever happens next.

        Raises StorageError, CentralError or Unreachable if central itself cannot go on, StorageError if the
        stick cannot be looked into; reading it again goes on from there.
        """
        paths = self._stick.parcels_found()
        deliveries: dict[Path, Delivery] = {}
        with closing(self._receipts):
            early = self._pass(dict.fromkeys(paths), deliveries)
            # A line may rest on one in a parcel that sorts behind it, or was written earlier and read later.
            while early and (left := self._pass(early, deliveries)) != early:
                early = left
            self._receipts.flush()
            self._state()
        return Report(
            tuple(deliveries.values()), self._receipts.written, self._receipts.lost, self._receipts.refusal
        )

    def _pass(
        self, todo: dict[Path, frozenset[int] | None], deliveries: dict[Path, Delivery]
    ) -> dict[Path, frozenset[int] | None]:
        """Take in the objects at some places of some parcels, all where None; those that came too early."""
        early: dict[Path, frozenset[int] | None] = {}
        total = sum(_size(path) for path in todo)
        done = 0
        for path, places in todo.items():
            if places is None:
                deliveries[path] = Delivery(path.name, "", State.UNREADABLE)
            if left := self._parcel(path, places, deliveries[path]):
                early[path] = left
            done += _size(path)
            self._progress(done, total)
        return early

    def _parcel(self, path: Path, places: frozenset[int] | None, delivery: Delivery) -> frozenset[int]:
        try:
            parcel = Parcel(path)
        except (OSError, ValueError):
            delivery.state = State.UNREADABLE
            return frozenset()
        with closing(parcel):
            contents = parcel.contents()
            delivery.state = contents.state
            delivery.site = contents.head.site if contents.head else ""
            delivery.early = 0
            found = [one for one in contents.found if places is None or one.start in places]
            return frozenset(self._deposit(parcel, found, delivery))

    def _deposit(self, parcel: Parcel, found: list[Found], delivery: Delivery) -> Iterator[int]:
        """Lines of the chain first, by number: segments rest on them. Yields where what is too early lies."""
        lines = sorted((one for one in found if _is_line(one)), key=lambda one: one.claim.name)
        for one in [*lines, *(one for one in found if not _is_line(one))]:
            if self._failures >= _READ_FAILURES:
                delivery.unreadable += 1
            elif self._take(parcel, one, delivery):
                delivery.early += 1
                yield one.start

    def _take(self, parcel: Parcel, one: Found, delivery: Delivery) -> bool:
        """Deposit an object; true if it came too early."""
        before = parcel.failures
        try:
            receipt = self._target.deposit(one.claim, parcel.content(one))
        except TooEarly:
            return True
        except Replaced:
            delivery.needless += 1
        except (Conflict, Refused) as error:
            delivery.refuse(one.claim.name, str(error))
        except OSError:
            if parcel.failures == before:
                raise
        else:
            is_new = receipt.sequence > self._counted.get(receipt.site, 0)
            delivery.new += is_new
            if is_new:
                self._new.add((receipt.site, receipt.sequence))
            delivery.known += not is_new
            self._receipts.add(receipt)
        self._failures = self._failures + 1 if parcel.failures > before else 0
        if parcel.failures > before:
            delivery.unreadable += 1
        return False

    def _sites(self) -> list[Site]:
        return list(Site.select().execute(self._central.database))

    def _state(self) -> None:
        """A line of the ledger for each site that something new came from; what came over the line is not."""
        ledger = Ledger(self._central, self._clock)
        for fingerprint, objects in sorted(Counter(site for site, _ in self._new).items()):
            ledger.append("courier", fingerprint, objects=objects)


def _is_line(found: Found) -> bool:
    return found.claim.name.startswith(f"{Kind.CHAIN}/")


def _size(path: Path) -> int:
    try:
        return path.stat(follow_symlinks=False).st_size
    except OSError:
        return 0
