"""The receiver: takes an object for good and signs for it. A receipt means that the bytes are on the disk.

In this order: is the claim a site's; is the object known already; what must it be; store it, hashed while it
is written; then one transaction gives it a number and keeps what follows from it. Whoever dies in between
leaves bytes without a receipt, and the next deposit of the object finds everything as it was.
"""

import contextlib
import dataclasses
import threading
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO, cast

from appliance.central import acceptance, erasures, lines, object_check, proofs, sites
from appliance.central.contents import Claimed
from appliance.central.databases import writing
from appliance.central.ledger import Ledger
from appliance.central.objects import locked_until, path_of, receipt_of
from appliance.central.places import Central
from appliance.central.proofs import LIMIT_BYTES, ProvenLine
from appliance.central.refusals import Malformed, NotAuthorised, TooLarge, Unproven
from appliance.central.tables import Site, Stored
from appliance.model.errors import CentralError, ReplicationError, StorageError
from appliance.model.instants import MINUTE_NS, day_of
from appliance.replication import claims, names
from appliance.replication.claims import Claim
from appliance.replication.names import Kind, ObjectName
from appliance.replication.receipts import Receipt
from appliance.replication.targets import Conflict, Replaced, Unreachable
from appliance.runtime.clock import Clock, now_ns

_DEFECTS = (ArithmeticError, LookupError, TypeError, ValueError)
"""What a proof let through and the transaction stumbles over: it is rolled back."""
_HEARD_EVERY_NS = MINUTE_NS
"""A site that sends what central knows is noted as heard so often: each note is a commit."""
_REREAD_BYTES = 8 << 20
"""What comes again up to this size is compared with what lies here: the sender sends as much as is read."""


class Receiver:
    """A `targets.Target` on a central of this machine. Any number of threads and processes have their own."""

    def __init__(
        self, central: Central, clock: Clock = now_ns, at_once: int | None = None, is_live: bool = True
    ) -> None:
        """So many uploads of one site are taken `at_once`; what is not `is_live` lets no site be heard.

        That is what a stick brings, or another central.
        """
        self._central = central
        self._is_live = is_live
        self._at_once = at_once
        self._uploads: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._ledger = Ledger(central, clock)
        self._clock = clock

    def deposit(self, claim: Claim, content: BinaryIO) -> Receipt:
        """Take the bytes of a claim; the same receipt each time.

        Nothing of the content is read before name, sender and size are right. Raises the errors of
        `targets.Target` (Refused as one of `central.refusals`; Unreachable while too many uploads of the
        site are under way), StorageError (nothing counts as kept), and CentralError if the catalogue does
        not answer.
        """
        name = _parse(claim)
        site = self._authorised(claim)
        self._check_size(name, claim)
        with self._counted(site):
            return self._take(site, name, claim, content)

    def close(self) -> None:
        """Let this thread's connection go."""
        self._central.database.close()

    def _take(self, site: Site, name: ObjectName, claim: Claim, content: BinaryIO) -> Receipt:
        claimed = Claimed(content, claim)
        known = acceptance.known(self._central, site, name)
        if known:
            return self._again(site, name, known, claim, claimed)
        acceptance.check(self._central, site, name, claim)
        line = self._store(site, name, claim, claimed)
        try:
            accepted = acceptance.accept(self._central, site, name, claim, line, self._clock(), self._is_live)
        except (ReplicationError, *_DEFECTS):  # not what a database raises: it may have committed
            self._discard(site, name, claim)
            raise
        if isinstance(accepted, Stored):  # it came twice at one moment, and the other was first
            if bytes(accepted.sha256).hex() != claim.sha256 or accepted.state != "kept":
                self._discard(site, name, claim)
            return self._again(site, name, accepted, claim, claimed)
        with contextlib.suppress(StorageError, CentralError):  # there are rows for it, so it is done later
            erasures.erase_paths(self._central, accepted.needless, day_of(self._clock()))
        return accepted.receipt

    @contextlib.contextmanager
    def _counted(self, site: Site) -> Iterator[None]:
        """One upload more of a site, whose signature was checked. Raises Unreachable if there are enough."""
        with self._lock:
            if self._at_once is not None and self._uploads[site.fingerprint] >= self._at_once:
                raise Unreachable("has as many uploads under way as central takes of one site at once")
            self._uploads[site.fingerprint] += 1
        try:
            yield
        finally:
            with self._lock:
                self._uploads[site.fingerprint] -= 1
                if not self._uploads[site.fingerprint]:
                    del self._uploads[site.fingerprint]

    def _authorised(self, claim: Claim) -> Site:
        """The site that signed; it has been heard. NotAuthorised, after the same work for each reason."""
        site = sites.known(self._central, claim.site)
        if site is None:
            signer = self._central.signer
            dataclasses.replace(claim, site=signer.fingerprint).holds(signer.box)
            raise NotAuthorised
        if not claim.holds(site.public_key) or site.state != sites.ENROLLED:
            raise NotAuthorised
        self._hear(site)
        return site

    def _check_size(self, name: ObjectName, claim: Claim) -> None:
        limit_bytes = min(LIMIT_BYTES[name.kind], self._central.config.limits.object_mib << 20)
        if claim.size_bytes > limit_bytes:
            raise TooLarge(f"{name} has {claim.size_bytes} bytes, more than the {limit_bytes} taken here")

    def _again(self, site: Site, name: ObjectName, row: Stored, claim: Claim, claimed: Claimed) -> Receipt:
        """The receipt that was given. Conflict for other bytes, Replaced if they are needed no more.

        Bytes that central has lost meanwhile are taken again.
        """
        if (bytes(row.sha256).hex(), row.size_bytes) != (claim.sha256, claim.size_bytes):
            self._tell_conflict(site, row, claim)
            raise Conflict(f"central keeps other bytes under {claim.name}; its ledger tells of it")
        if row.state != "kept":
            raise Replaced(f"central needs {claim.name} no more")
        if self._is_lost(site, row):
            self._put_back(site, name, row, claim, claimed)
        claimed.drop()
        return receipt_of(self._central.signer, site, row)

    def _is_lost(self, site: Site, row: Stored) -> bool:
        """Whether what central signed for is not there as it was; of what is large, whether it is there."""
        if not object_check.is_kept(self._central, site, row):
            return False
        try:
            if row.size_bytes <= _REREAD_BYTES:
                object_check.check_bytes(self._central, site, row)
            else:
                self._central.store.open(object_check.path_of(site, row)).close()
        except (object_check.Faulty, KeyError):
            return True
        return False

    def _put_back(self, site: Site, name: ObjectName, row: Stored, claim: Claim, claimed: Claimed) -> None:
        """What the hash proves needs no other proof. An envelope under the site's lock, as destruction is."""
        if name.kind is Kind.ENVELOPE:
            claimed.whole()
            with writing(self._central.database):
                sites.locked(self._central, site)
                if object_check.is_kept(self._central, site, row):
                    self._put(site, name, claim, claimed)
            return
        self._put(site, name, claim, claimed)
        if not object_check.is_kept(self._central, site, row):
            self._discard(site, name, claim)

    def _hear(self, site: Site) -> None:
        now = self._clock()
        if not self._is_live:
            return
        if site.heard_at_ns is None or not 0 <= now - site.heard_at_ns < _HEARD_EVERY_NS:
            sites.heard(self._central, site, now)

    def _tell_conflict(self, site: Site, row: Stored, claim: Claim) -> None:
        self._ledger.append(
            "conflict",
            site.fingerprint,
            f"conflict {site.fingerprint} {claim.name}",
            name=claim.name,
            stored=bytes(row.sha256).hex(),
            claim=claim.render().decode("ascii"),
        )

    def _store(self, site: Site, name: ObjectName, claim: Claim, claimed: Claimed) -> ProvenLine | None:
        """Prove the bytes as far as they say something, and keep them durably. The line, if it is one."""
        line = None
        match name.kind:
            case Kind.CHAIN:
                line = proofs.line(claimed.whole(), name, site.public_key)
                lines.check_predecessor(self._central, site, line)
            case Kind.ENVELOPE:
                proofs.envelope(claimed.whole(), name, site.public_key)
            case Kind.JOURNAL:
                proofs.journal_head(claimed.peek(proofs.HEADER_LIMIT_BYTES), name)
            case Kind.STATISTICS:
                proofs.statistics(claimed.whole(), name)
            case Kind.SEGMENT:
                pass  # what it must be was asked of the chain before the first byte was read
        self._put(site, name, claim, claimed)
        return line

    def _put(self, site: Site, name: ObjectName, claim: Claim, claimed: Claimed) -> None:
        path = path_of(site.fingerprint, name.text, claim.sha256)
        if name.kind is Kind.ENVELOPE:
            self._central.custody.put(path, claimed.read())
            return
        try:
            self._central.store.put(
                path,
                cast(BinaryIO, claimed),
                claim.size_bytes,
                claim.sha256,
                locked_until(site, name, day_of(self._clock())),
            )
        except ValueError as error:
            raise Unproven(f"{name} {error}; nothing was stored") from None

    def _discard(self, site: Site, name: ObjectName, claim: Claim) -> None:
        """Nothing stays of what was refused after it was stored: least of all an envelope."""
        path = path_of(site.fingerprint, name.text, claim.sha256)
        if name.kind is Kind.ENVELOPE:
            self._central.custody.destroy(path)
        else:
            self._central.store.delete(path)


def _parse(claim: Claim) -> ObjectName:
    """The name of a claim of the right form, wherever it came from. Raises Malformed."""
    try:
        return names.parse(claims.parse(claim.render()).name)
    except ValueError as error:
        raise Malformed(f"'{claim.name[:100]}' {error}") from None
