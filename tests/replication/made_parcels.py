"""Parcels for the tests: objects of random bytes under real names, signed with a real key."""

import io
import random
from pathlib import Path

from appliance.replication import claims
from appliance.replication.claims import Claim
from appliance.replication.parcel_writer import ParcelWriter
from appliance.replication.parcels import Head
from appliance.vault import canonical, signing

AT_NS = 1_773_500_000_000_000_000


def objects(signer: signing.Signer, sizes: list[int]) -> list[tuple[Claim, bytes]]:
    """Statistics of those sizes, the only kind whose name says nothing about its bytes."""
    made = []
    for number, size in enumerate(sizes):
        content = random.Random(size * 31 + number).randbytes(size)
        name = f"statistics/2026-03-14/cafe0123-{number + 1}.jsonl"
        made.append((claims.make(signer, name, canonical.sha256(content), size), content))
    return made


def write(path: Path, signer: signing.Signer, made: list[tuple[Claim, bytes]], close: bool = True) -> Head:
    head = Head(signer.fingerprint, ("ab" * 32,), "01234567", 1, AT_NS)
    parcel = ParcelWriter(path, head, signer)
    parcel.open()
    for claim, content in made:
        assert parcel.add(claim, io.BytesIO(content))
    if close:
        parcel.close(last=True)
    parcel.abandon()
    return head
