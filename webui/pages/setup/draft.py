"""What the first boot has been told so far, and which screen comes next. Pure."""

import enum
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

LEAST_CUSTODIANS = 2
MOST_CUSTODIANS = 16
"""More than anybody appoints; each key that is made costs memory."""


class Screen(StrEnum):
    """The screens in their order; the value is the last piece of the address."""

    BEGIN = "begin"
    FACTOR = "factor"
    SITE = "site"
    CUSTODIANS = "custodians"
    CENTRALS = "centrals"
    TESTS = "tests"


class Made(enum.Flag):
    """What is there for good, on the disk."""

    NOTHING = 0
    ACCOUNT = enum.auto()
    HOME = enum.auto()


@dataclass(frozen=True)
class Administrator:
    """The first account. The password is in memory until the account is made."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Factor:
    """The administrator's second factor. `step`: the period whose code was given, so that it is good once."""

    secret: str = field(repr=False)
    recovery_codes: tuple[str, ...] = field(repr=False)
    step: int | None = None


@dataclass(frozen=True)
class Place:
    """The site: its name, its clients' networks as CIDRs, the interfaces that mirrors arrive at."""

    site: str
    networks: tuple[str, ...]
    interfaces: tuple[str, ...]


@dataclass(frozen=True)
class Sketch:
    """The same as it stands in the form, before it is checked, so that listening loses nothing typed."""

    site: str
    networks: str
    interfaces: tuple[str, ...]


@dataclass(frozen=True)
class Custodian:
    """One custodian. `key` is the content of the private key's file until it is proven saved; then forgotten.

    `digest` of it stays; both are None for a public key that was brought along.
    """

    name: str
    recipient: str
    key: bytes | None = field(default=None, repr=False)
    digest: bytes | None = None
    locked: bool = False
    sheet_saved: bool = False
    key_saved: bool = False

    @property
    def made_here(self) -> bool:
        """Whether the key was drawn by this page."""
        return self.digest is not None

    @property
    def is_ready(self) -> bool:
        """Nothing of this custodian's can be lost any more."""
        return not self.made_here or (self.key_saved and self.sheet_saved)


@dataclass(frozen=True)
class Central:
    """A central: enrolled, or looked at and waiting for a person to agree to its fingerprint."""

    url: str
    name: str
    fingerprint: str
    code: str = field(default="", repr=False)


@dataclass(frozen=True)
class Draft:
    """Everything that was told; `made` is what stands already, from this set-up or before it."""

    made: Made
    administrator: Administrator | None = None
    factor: Factor | None = None
    place: Place | None = None
    sketch: Sketch | None = None
    custodians: tuple[Custodian, ...] = ()
    quorum: int = LEAST_CUSTODIANS
    centrals: tuple[Central, ...] = ()
    looked_at: Central | None = None
    centrals_done: bool = False


def screens(draft: Draft) -> tuple[Screen, ...]:
    """The screens that this box still needs, in order. What is made is not asked for again."""
    open_ones = []
    if Made.ACCOUNT not in draft.made:
        open_ones += [Screen.BEGIN, Screen.FACTOR]
    if Made.HOME not in draft.made:
        open_ones += [Screen.SITE, Screen.CUSTODIANS]
    return (*open_ones, Screen.CENTRALS, Screen.TESTS)


def current(draft: Draft) -> Screen:
    """The first screen that is not finished."""
    is_proven = draft.factor is not None and draft.factor.step is not None
    finished = {
        Screen.BEGIN: draft.administrator is not None,
        # Where the home is made and the account could not be, this screen makes it.
        Screen.FACTOR: is_proven and Made.HOME not in draft.made,
        Screen.SITE: draft.place is not None,
        Screen.CUSTODIANS: False,
        Screen.CENTRALS: draft.centrals_done,
        Screen.TESTS: False,
    }
    return next(screen for screen in screens(draft) if not finished[screen])


def may_see(draft: Draft, screen: Screen) -> bool:
    """Whether a screen can be opened: the current one, and those before it of which nothing is made yet."""
    needed = screens(draft)
    return screen in needed and needed.index(screen) <= needed.index(current(draft))


def custodians_ready(draft: Draft) -> bool:
    """Whether there are enough of them, and every key that was made here is saved elsewhere."""
    return len(draft.custodians) >= LEAST_CUSTODIANS and all(one.is_ready for one in draft.custodians)


def with_key(draft: Draft, name: str, recipient: str, key: bytes, locked: bool) -> Draft:
    """A custodian whose key was made here."""
    digest = hashlib.sha256(key).digest()
    return _added(draft, Custodian(name, recipient, key, digest, locked))


def with_recipient(draft: Draft, name: str, recipient: str) -> Draft:
    """A custodian who brought a public key. ValueError for one that is there already."""
    if recipient in {one.recipient for one in draft.custodians}:
        raise ValueError(recipient)
    return _added(draft, Custodian(name, recipient))


def without(draft: Draft, recipient: str) -> Draft:
    """One custodian fewer; the key, if it was made here, is forgotten."""
    left = tuple(one for one in draft.custodians if one.recipient != recipient)
    return replace(draft, custodians=left, quorum=max(LEAST_CUSTODIANS, min(draft.quorum, len(left))))


def with_sheet_saved(draft: Draft, recipient: str) -> Draft:
    """The recovery sheet was fetched."""
    return _changed(draft, recipient, lambda one: _forgotten(replace(one, sheet_saved=True)))


def with_key_proven(draft: Draft, recipient: str, file: bytes) -> Draft:
    """The key's file came back as it was given. ValueError where it is another file."""

    def proven(one: Custodian) -> Custodian:
        if hashlib.sha256(file).digest() != one.digest:
            raise ValueError(one.name)
        return _forgotten(replace(one, key_saved=True))

    return _changed(draft, recipient, proven)


def custodian(draft: Draft, recipient: str) -> Custodian | None:
    """The custodian with this public key."""
    return next((one for one in draft.custodians if one.recipient == recipient), None)


def _added(draft: Draft, one: Custodian) -> Draft:
    if len(draft.custodians) >= MOST_CUSTODIANS:
        raise OverflowError
    return replace(draft, custodians=(*draft.custodians, one))


def _changed(draft: Draft, recipient: str, change: Callable[[Custodian], Custodian]) -> Draft:
    kept = tuple(change(one) if one.recipient == recipient else one for one in draft.custodians)
    return replace(draft, custodians=kept)


def _forgotten(one: Custodian) -> Custodian:
    """The private key goes as soon as its file and its sheet are saved."""
    return replace(one, key=None) if one.is_ready else one
