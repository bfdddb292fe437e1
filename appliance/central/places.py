"""A central on this machine: its folder made, and opened with everything its work needs."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from peewee import PeeweeException

from appliance.central import databases, tables
from appliance.central.bucket_custody import BucketCustody
from appliance.central.custody import Custody, FolderCustody
from appliance.central.stores.bucket import Bucket
from appliance.central.stores.directory import DirectoryStore
from appliance.central.stores.s3 import S3Store
from appliance.central.stores.store import Store
from appliance.config import central_toml
from appliance.config.central import CentralConfig, PlaceConfig
from appliance.https import certificates
from appliance.model.errors import CentralError, HomeError, StorageError
from appliance.replication import identity as identities
from appliance.replication.identity import CentralIdentity
from appliance.runtime import locks
from appliance.runtime.clock import Clock, now_ns
from appliance.runtime.files import make_folder, write_once
from appliance.vault import signing
from appliance.vault.signing import Signer

KEY, IDENTITY, TLS, CATALOGUE = "central.key", "identity.json", "tls", "catalogue.sqlite"
SERVING = "serving.lock"
"""Held shared by every process that has the central open here, and alone by one that moves it."""


class Hold:
    """A lock that is held until it is let go; that may be asked twice."""

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle

    def release(self) -> None:
        """Let go."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


@dataclass(frozen=True)
class Central:
    """One central. `signer` signs receipts and the ledger; `identity` is what boxes know of it."""

    folder: Path
    config: CentralConfig
    identity: CentralIdentity
    signer: Signer
    database: databases.Catalogue
    store: Store
    custody: Custody
    hold: Hold | None = None
    """Keeps the central where it is while it is open."""

    def close(self) -> None:
        """Let go of every connection, those of other threads too."""
        self.database.close_all()
        self.store.close()
        self.custody.close()
        if self.hold:
            self.hold.release()


def create(folder: Path, config: CentralConfig, hosts: Sequence[str], clock: Clock = now_ns) -> Central:
    """A new central, opened, its settings those given and these hosts.

    Raises CentralError if the folder, the database or a bucket is not empty, or a value cannot be meant;
    StorageError.
    """
    try:
        settings = replace(config, hosts=tuple(hosts))
    except ValueError as error:
        raise CentralError(f"{error}; a central is not made like this") from None
    if not settings.hosts:
        raise CentralError("a central needs a name or an address that boxes reach it under; give one")
    _make(folder)
    key = signing.generate()
    signer = signing.signer(key)
    authority = certificates.create(folder / TLS, f"central {settings.name}", settings.hosts, clock())
    identity = CentralIdentity(settings.name, signer.box, authority)
    write_once(folder / KEY, signing.to_pem(key))
    write_once(folder / IDENTITY, identity.render())
    write_once(folder / central_toml.NAME, central_toml.render(settings).encode("utf-8"))
    return furnish(folder)


def furnish(folder: Path) -> Central:
    """Make what the settings name and is not there yet - tables, buckets - and open the central.

    For a new central, and for one whose settings were given another catalogue or store before its first site.
    Raises CentralError if something is there that is not this central's own, StorageError.
    """
    hold = _staying(folder)
    try:
        return replace(_furnished(folder), hold=hold)
    except BaseException:  # an interrupt too: a lock left held would look like a process at work
        hold.release()
        raise


def _furnished(folder: Path) -> Central:
    central = _assembled(folder, new=True)
    with _closed_unless_whole(central):
        found = _facts(central)
        if found and found != _expected(central):
            raise CentralError(
                f"the catalogue of {folder} is another central's, or of another version; give it its own"
            )
        if not found:
            _refuse_used(central)
            _begin(central)
    return central


def open(folder: Path) -> Central:  # noqa: A001 - places.open, as the rooms above call it
    """The central in a folder, which cannot be moved until it is closed.

    Raises CentralError if a part of it is missing or another's, or if it is being moved; StorageError.
    """
    hold = _staying(folder)
    try:
        return replace(opened(folder), hold=hold)
    except BaseException:  # an interrupt too: a lock left held would look like a process at work
        hold.release()
        raise


def opened(folder: Path) -> Central:
    """`open` for who holds the lock already."""
    central = _assembled(folder, new=False)
    with _closed_unless_whole(central):
        found = _facts(central)
        if not found:
            raise CentralError(
                f"the catalogue that {folder / central_toml.NAME} names has no tables: restore it from its "
                "backup; where nothing was ever stored, 'greffier central init' with this folder makes them"
            )
        if found["central"] != central.signer.fingerprint:
            raise CentralError(f"the catalogue that {folder / central_toml.NAME} names is another central's")
        if found["schema"] != str(tables.SCHEMA):
            raise CentralError(
                f"the catalogue of {folder} is of version {found['schema']}, this program's of "
                f"{tables.SCHEMA}: use the version of Greffier that made it"
            )
    return central


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """No process of this machine has the central open meanwhile. Raises CentralError if one has."""
    _check_folder(folder)
    handle = locks.attempt(folder / SERVING)
    if handle is None:
        raise CentralError(f"the central in {folder} is at work; stop it on every machine, then move it")
    try:
        yield
    finally:
        os.close(handle)


def _staying(folder: Path) -> Hold:
    _check_folder(folder)
    handle = locks.attempt(folder / SERVING, shared=True)
    if handle is None:
        raise CentralError(f"the central in {folder} is being moved; wait until that is done")
    return Hold(handle)


def _check_folder(folder: Path) -> None:
    """No lock is left in a folder that is no central's."""
    central_toml.read(folder / central_toml.NAME)


def prospect(folder: Path, config: CentralConfig) -> Central:
    """The central of a folder with other places, its buckets made, its catalogue not yet.

    Raises CentralError, StorageError.
    """
    return _assembled(folder, True, config)


def custody_of(folder: Path, config: CentralConfig) -> Custody:
    """The custody that some settings name. Raises CentralError, StorageError."""
    return _custody(folder, config, False)


def _make(folder: Path) -> None:
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise CentralError(f"{folder} is already there and never overwritten; choose another folder")
        make_folder(folder)
        folder.chmod(0o700)
        make_folder(folder / TLS)
    except OSError as error:
        raise StorageError(
            f"cannot make {folder}: {error.strerror}; choose a folder you may write to"
        ) from error


def _assembled(folder: Path, new: bool, given: CentralConfig | None = None) -> Central:
    config = given or central_toml.read(folder / central_toml.NAME)
    try:
        signer = signing.load(folder / KEY)
    except HomeError as error:
        raise CentralError(
            f"cannot use the key {folder / KEY}; restore it from a copy: nobody else can sign as this central"
        ) from error
    identity = _identity(folder / IDENTITY)
    if identity.key != signer.box:
        raise CentralError(f"{folder / IDENTITY} is not of the key {KEY}; restore both from one copy")
    if not (new or config.catalogue or (folder / CATALOGUE).is_file()):
        raise CentralError(f"{folder / CATALOGUE} is missing; restore it from its backup")
    if new and not config.catalogue:
        (folder / CATALOGUE).touch(mode=0o600)
    database = databases.connect(config.catalogue, folder)
    store = _store(folder, config, new)
    return Central(folder, config, identity, signer, database, store, _custody(folder, config, new))


def _store(folder: Path, config: CentralConfig, new: bool) -> Store:
    if not config.store.is_s3:
        return DirectoryStore(folder / "objects", config.limits.free_mib << 20)
    return S3Store(_bucket(folder, config.store, new, locking=True))


def _custody(folder: Path, config: CentralConfig, new: bool) -> Custody:
    if not config.custody.is_s3:  # without its envelope nothing is worth storing: they come longest
        return FolderCustody(folder / "custody", config.limits.free_mib << 18)
    return BucketCustody(_bucket(folder, config.custody, new, locking=False))


def _bucket(folder: Path, place: PlaceConfig, new: bool, locking: bool) -> Bucket:
    """A bucket that is as it must be; made, if need be, for a new central."""
    bucket = Bucket(place, folder)
    if new:
        bucket.make(locking)
    bucket.check(locking)
    if new:
        bucket.probe()
    return bucket


def _refuse_used(central: Central) -> None:
    """A catalogue begins with nothing: what lies there already would be another central's."""
    for found in (next(iter(central.store.names("")), None), next(iter(central.custody.names("")), None)):
        if found:
            raise CentralError(
                f"the store or the custody that {central.folder / central_toml.NAME} names is in use; "
                "give this central its own, or restore the catalogue that belongs to it"
            )


def _identity(path: Path) -> CentralIdentity:
    try:
        return identities.parse(path.read_bytes())
    except OSError as error:
        raise CentralError(f"cannot read {path}: {error.strerror}; restore it from a copy") from error
    except ValueError as error:
        raise CentralError(f"{path} {error}; restore it from a copy") from error


def _expected(central: Central) -> dict[str, str]:
    return {"schema": str(tables.SCHEMA), "central": central.signer.fingerprint}


def _facts(central: Central) -> dict[str, str]:
    """What the catalogue says of itself; empty if there is none."""
    with _told(central):
        if not central.database.table_exists(tables.About._meta.table_name):
            return {}
        rows = tables.About.select().execute(central.database)
        return {row.key: row.value for row in rows if row.key in _expected(central)}


def _begin(central: Central) -> None:
    """The tables, and whose they are, in one transaction: half a catalogue is none."""
    with _told(central), central.database.atomic():
        tables.create(central.database)
        tables.About.insert(key="central", value=central.signer.fingerprint).execute(central.database)


@contextlib.contextmanager
def _told(central: Central) -> Iterator[None]:
    try:
        yield
    except PeeweeException as error:
        why = str(error).strip().partition("\n")[0]
        raise CentralError(f"the catalogue of {central.folder} cannot be used: {why}; see to it") from error


@contextlib.contextmanager
def _closed_unless_whole(central: Central) -> Iterator[None]:
    try:
        yield
    except BaseException:  # an interrupt too: connections and the lock go, whatever ends it
        central.close()
        raise
