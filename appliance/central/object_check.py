"""Re-reads one object of a central and says what is wrong with it, if anything is."""

import hashlib
from collections.abc import Iterator
from typing import BinaryIO

from appliance.central import objects, proofs, sites
from appliance.central.places import Central
from appliance.central.proofs import ProvenLine
from appliance.central.refusals import Unproven
from appliance.central.tables import Key, Site, Stored
from appliance.model.errors import StorageError
from appliance.replication import names
from appliance.replication.names import Kind, ObjectName

_PIECE_BYTES = 1 << 20
_READ_WHOLE = (Kind.CHAIN, Kind.ENVELOPE, Kind.STATISTICS)


class Faulty(Exception):
    """What is wrong with an object, in words."""


def path_of(site: Site, row: Stored) -> str:
    """Where the bytes of a row lie."""
    return objects.path_of(site.fingerprint, row.name, bytes(row.sha256).hex())


def lies_in_custody(name: str) -> bool:
    """Whether an object of this name lies with the envelopes, apart from the store."""
    return name.startswith(f"{Kind.ENVELOPE}/")


def inspect(central: Central, site: Site, row: Stored) -> ProvenLine | None:
    """Read the bytes of a kept row and prove them again; the line, if it is one. Raises Faulty."""
    try:
        name = names.parse(row.name)
    except ValueError as error:
        raise Faulty(str(error)) from None
    told = (name.kind, name.vault, name.day, name.key_id)
    if told != (row.kind, row.vault, row.day, row.key_id):
        raise Faulty("stands in the catalogue under another kind, vault, day or key than its name says")
    try:
        return _prove(name, _read(central, site, row, name), site)
    except Unproven as error:
        raise Faulty(str(error).removesuffix("; nothing was stored")) from None


def check_bytes(central: Central, site: Site, row: Stored) -> None:
    """Read the bytes of a kept row and compare them with their hash and size. Raises Faulty."""
    _read(central, site, row, None)


def is_kept(central: Central, site: Site, row: Stored) -> bool:
    """Whether the bytes of a row are to be here now: not replaced, nor in the middle of a destruction."""
    now = Stored.select(Stored.state).where(Stored.site == site, Stored.sequence == row.sequence)
    key = Key.select(Key.state).where(Key.site == site, Key.key_id == row.key_id)
    state = Site.select(Site.state).where(Site.id == site.id)
    database = central.database
    return (
        now.scalar(database) == "kept"
        and (row.key_id is None or key.scalar(database) not in ("ordered", "destroyed"))
        and state.scalar(database) == sites.ENROLLED
    )


def _prove(name: ObjectName, content: bytes, site: Site) -> ProvenLine | None:
    match name.kind:
        case Kind.CHAIN:
            return proofs.line(content, name, site.public_key)
        case Kind.ENVELOPE:
            proofs.envelope(content, name, site.public_key)
        case Kind.JOURNAL:
            proofs.journal_head(content, name)
        case Kind.STATISTICS:
            proofs.statistics(content, name)
    return None


def _read(central: Central, site: Site, row: Stored, name: ObjectName | None) -> bytes:
    """The bytes of what is small, the beginning of the rest, once all of it was found to be right."""
    path = path_of(site, row)
    digest, size = hashlib.sha256(), 0
    kept = bytearray()
    whole = name is not None and name.kind in _READ_WHOLE and row.size_bytes <= proofs.LIMIT_BYTES[name.kind]
    wanted = row.size_bytes if whole else proofs.HEADER_LIMIT_BYTES
    try:
        if lies_in_custody(row.name):
            content = central.custody.get(path)
            digest.update(content)
            size, kept = len(content), bytearray(content[:wanted])
        else:
            with central.store.open(path) as file:
                for piece in _pieces(file):
                    digest.update(piece)
                    size += len(piece)
                    kept += piece[: max(0, wanted - len(kept))]
    except KeyError:
        raise Faulty("is missing, though central has signed that it is here") from None
    except (StorageError, OSError) as error:
        raise Faulty(f"cannot be read: {error}") from None
    if size != row.size_bytes:
        raise Faulty(f"has {size} bytes, and central has signed for {row.size_bytes}")
    if digest.digest() != bytes(row.sha256):
        raise Faulty("was changed: its bytes are not those that central has signed for")
    return bytes(kept)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: file.read(_PIECE_BYTES), b"")
