"""Simulated sites: what their boxes would send to a central, signed before the clock runs.

Chain lines and claims are true in form and signature; journals and segments have true headers and noise in
place of ciphertext, which is all that a central can see of them.
"""

import datetime as dt
import functools
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from appliance.model.instants import NS, to_iso
from appliance.replication import claims, names
from appliance.vault import canonical, envelopes, journal, seals, signing
from appliance.vault.chain import NO_LINE, PURPOSE
from appliance.vault.day_keys import DayKey
from appliance.vault.names import VaultName
from appliance.vault.seals import EnvelopeMade, Init, Seal, StoredFile

JOURNAL_BYTES = {VaultName.TRAFFIC: 30_000, VaultName.SOURCE: 3_000}
"""Of 30 s of a recorder that saw 5 new connections a second: measured, see SCALE.md."""

SEGMENT_BYTES = {"traffic": (280_000, 60_000), "source": (20_000, 4_000)}
"""Of an hour of the same: Parquet file and index."""

_NOISE = os.urandom(1 << 20)
_NOTHING = memoryview(b"")


@dataclass(frozen=True)
class Deposit:
    """One object as it goes over the line. `tail` is shared noise, so that very many fit into memory."""

    name: str
    claim: str
    head: bytes
    tail: memoryview

    @property
    def size_bytes(self) -> int:
        return len(self.head) + len(self.tail)

    def request(self) -> bytes:
        """Head and body as HTTP."""
        line = "PUT /v1/objects HTTP/1.1\r\nHost: central\r\n"
        fields = f"{claims.HEADER}: {self.claim}\r\nContent-Length: {self.size_bytes}\r\n\r\n"
        return (line + fields).encode() + self.head + self.tail


@functools.cache
def _custodians() -> tuple[str, ...]:
    from pyrage import x25519

    return tuple(str(x25519.Identity.generate().to_public()) for _ in range(2))


@dataclass
class Site:
    """A box that is none: a key, a chain, and a day key of each vault for today."""

    number: int
    signer: signing.Signer = field(default_factory=lambda: signing.signer(signing.generate()))
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    _seq: int = -1
    _prev: str = NO_LINE
    _journals: int = 0
    _hours: int = 0

    def __post_init__(self) -> None:
        self.day = dt.datetime.now(dt.UTC).date()
        self.keys = {
            vault: DayKey(vault, self.day, secrets.token_hex(8), secrets.token_bytes(32))
            for vault in VaultName
        }

    def opening(self) -> list[Deposit]:
        """What a box sends first: its first line, and today's envelopes with their lines."""
        sent = [self._line(Init(f"Site {self.number}", self.signer.box, _custodians(), 2))]
        for vault, key in self.keys.items():
            content = envelopes.seal_key(key, self.run, _custodians(), 2, self.signer)
            stored = StoredFile(f"{key.key_id}.envelope", canonical.sha256(content), len(content))
            sent.append(self._deposit(f"envelopes/{vault}/{self.day}/{stored.name}", content))
            sent.append(self._line(EnvelopeMade(vault, self.day, key.key_id, self.run, stored)))
        return sent

    def journal(self, vault: VaultName, at_ns: int) -> Deposit:
        """A journal file of 30 s."""
        self._journals += 1
        moment = to_iso(at_ns)[:19].replace("-", "").replace(":", "")
        key = self.keys[vault]
        name = f"{moment}Z-{self.run}-{self._journals}-{key.key_id}.journal"
        head = journal.Header(name, vault, self.day, key.key_id, self.run).line()
        return self._deposit(
            f"journal/{vault}/{self.day}/{name}", head + os.urandom(16), _tail(JOURNAL_BYTES[vault])
        )

    def hour(self, replaces: Sequence[str] = ()) -> list[Deposit]:
        """What follows when the clock strikes: of each vault a line, a segment and its index."""
        sent = []
        self._hours += 1
        for vault, key in self.keys.items():
            name = f"{self._hours % 24:02d}00-{key.key_id}-{secrets.token_hex(4)}"
            folder = f"segments/{vault}/{self.day}"
            files = [
                self._deposit(f"{folder}/{name}.{suffix}", b"PARE" + os.urandom(16), _tail(size))
                for suffix, size in zip(("parquet", "index"), SEGMENT_BYTES[vault], strict=True)
            ]
            stored = tuple(
                StoredFile(f"{name}.{suffix}", _hash(file), file.size_bytes)
                for suffix, file in zip(("parquet", "index"), files, strict=True)
            )
            first_ns, gone = 1_790_000_000 * NS, tuple(name for name in replaces if key.key_id in name)
            seal = Seal(
                vault,
                self.day,
                key.key_id,
                self.run,
                name,
                18_000,
                first_ns,
                first_ns + 3600 * NS,
                stored,
                gone,
                (),
            )
            sent += [self._line(seal), *files]
        return sent

    def _line(self, body: seals.Body) -> Deposit:
        fields = seals.to_json(body)
        fields |= {"seq": self._seq + 1, "prev": self._prev, "at": to_iso(1_790_000_000 * NS + self._seq)}
        fields["sig"] = self.signer.sign(PURPOSE, canonical.encode(fields))
        line = canonical.encode(fields) + b"\n"
        self._seq += 1
        self._prev = canonical.sha256(line)
        return self._deposit(names.of_line(self._seq, self._prev), line)

    def _deposit(self, name: str, head: bytes, tail: memoryview = _NOTHING) -> Deposit:
        digest = canonical.sha256(head + tail)
        claim = claims.make(self.signer, name, digest, len(head) + len(tail))
        return Deposit(name, claim.to_header(), head, tail)


def _tail(size: int) -> memoryview:
    return memoryview(_NOISE)[:size]


def _hash(file: Deposit) -> str:
    return canonical.sha256(file.head + file.tail)
