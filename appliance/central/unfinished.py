"""The mark of a restore that has begun and not ended: for which site, out of which central, into what."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from appliance.central.copying import HALVES
from appliance.central.places import Central
from appliance.central.tables import Site
from appliance.model.errors import CentralError, StorageError
from appliance.runtime.files import make_folder, sync_file_system, sync_folder, write_all

MARK = ".unfinished"


def begin(central: Central, site: Site, out: Path, numbers: Sequence[int]) -> None:
    """Mark a folder that is empty, or that an interrupted restore of the same has left.

    Raises CentralError for a folder of the central's own, StorageError for any other, OSError.
    """
    _refuse_own(central, out)
    make_folder(out)
    told = {
        "central": central.identity.fingerprint,
        "site": site.fingerprint,
        "branches": sorted(set(numbers)),
    }
    present = {path.name for path in out.iterdir()}
    if present - {MARK}:
        _check_same(out, told, present)
    handle = os.open(out / MARK, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_all(handle, json.dumps(told).encode("ascii"))
        os.fsync(handle)
    finally:
        os.close(handle)
    sync_folder(out)
    for half in list(out.rglob(HALVES)):
        half.unlink()


def end(out: Path) -> None:
    """Take the mark away, once all that was written is on the disk. Raises OSError."""
    sync_file_system(out)
    (out / MARK).unlink()
    sync_folder(out)


def _refuse_own(central: Central, out: Path) -> None:
    """What lies among a central's own files would be taken for objects, or be removed with them."""
    own = central.folder.resolve()
    if out.resolve().is_relative_to(own):
        raise CentralError(f"{out} is in the central's own folder {own}; choose a folder outside of it")


def _check_same(out: Path, told: Mapping[str, object], present: set[str]) -> None:
    if MARK not in present:
        raise StorageError(f"{out} is not empty and nothing is overwritten; choose an empty folder")
    try:
        begun = json.loads((out / MARK).read_bytes())
    except ValueError:
        begun = None
    if begun != told:
        raise StorageError(
            f"{out} holds an interrupted restore of another site, central or choice of branches; "
            "choose an empty folder, or run that one again"
        )
