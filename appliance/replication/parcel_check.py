"""What lies on a stick already: objects whole under the box's own claims, parcels that are needed no more."""

import contextlib
import hashlib
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from appliance.replication import parcel_reader
from appliance.replication.parcel_reader import Contents, Found, Parcel, State
from appliance.replication.stick import Stick
from appliance.vault import signing

_PIECE_BYTES = 1 << 20


def present(stick: Stick, box: str, centrals: Collection[str]) -> set[str]:
    """The names of the objects that lie whole on a stick, each read and hashed, for all of these centrals.

    Only parcels of this box are looked at. Raises StorageError if the stick cannot be looked into; a parcel
    that cannot be read holds nothing.
    """
    found: set[str] = set()
    for path in stick.parcels_found(signing.fingerprint(box)):
        with contextlib.suppress(OSError, ValueError), parcel_reader.opened(path) as parcel:
            contents = parcel.contents()
            if not contents.head or not set(centrals) <= set(contents.head.centrals):
                continue
            for one in contents.found:
                if one.claim.name not in found and _is_whole(parcel, one, box):
                    found.add(one.claim.name)
    return found


def is_whole(path: Path, box: str) -> bool:
    """Whether a parcel, read from the stick itself, is closed, signed and as it says. Raises OSError."""
    forget(path)
    with parcel_reader.opened(path) as parcel:
        contents = parcel.contents()
        closed = contents.closing is not None and contents.closing.holds(box)
        return (
            contents.state is State.WHOLE
            and closed
            and all(_is_whole(parcel, one, box) for one in contents.found)
        )


def is_acknowledged(path: Path, box: str, signed: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether every central that a parcel is for has signed for everything in it.

    `signed` gives, by central, the hashes signed for by name.
    """
    try:
        with parcel_reader.opened(path) as parcel:
            contents = parcel.contents()
    except (OSError, ValueError):
        return False
    return _names_all(contents, box) and all(
        signed.get(central, {}).get(one.claim.name) == one.claim.sha256
        for central in (contents.head.centrals if contents.head else ())
        for one in contents.found
    )


def forget(path: Path) -> None:
    """Let memory forget a file's bytes, so that they are read from the stick."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)


def _names_all(contents: Contents, box: str) -> bool:
    """Whether what was found is all there ever was in the parcel: it has its head, its end, and no damage."""
    closing = contents.closing
    return (
        contents.state is State.WHOLE and closing is not None and closing.holds(box) and bool(contents.head)
    )


def _is_whole(parcel: Parcel, one: Found, box: str) -> bool:
    if not one.claim.holds(box):
        return False
    digest = hashlib.sha256()
    file = parcel.content(one)
    try:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    except OSError:
        return False
    return digest.hexdigest() == one.claim.sha256
