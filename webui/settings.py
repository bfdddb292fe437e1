"""What the site calls its places, whom to turn to, and how its page looks: a file in the page's own folder.

Nothing of the recording stands here, and nothing that names a client of the Wi-Fi.
"""

import contextlib
import re
import threading
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec
import tomlkit

from appliance.model.errors import HomeError
from appliance.runtime import files

NAME = "settings.toml"
LOGO = "logo.png"
PLACE_LIMIT = 4096
GROUP_LIMIT = 256
NAME_LIMIT = 60
TEXT_LIMIT = 300
"""Characters of a contact's line."""
CUSTODIAN_LIMIT = 64

_COLOUR = re.compile(r"(#[0-9a-f]{6})?")


class Branding(msgspec.Struct, frozen=True):
    """`colour` is `#rrggbb` or empty: the page's own. `logo` is its version, empty where there is none."""

    name: str = "Greffier"
    colour: str = ""
    logo: str = ""

    @property
    def has_logo(self) -> bool:
        """Whether there is one at `/branding/logo`."""
        return bool(self.logo)

    @property
    def version(self) -> str:
        """Another one whenever colour or logo are: for addresses that may be kept for long."""
        return f"{self.colour.removeprefix('#')}{self.logo}"


class Contacts(msgspec.Struct, frozen=True):
    """Who answers for the Wi-Fi, in the words of the notice; empty where it is not said yet."""

    controller: str = ""
    """Who offers the Wi-Fi: the legal person that keeps the records."""
    address: str = ""
    representative: str = ""
    email: str = ""
    phone: str = ""
    protection_officer: str = ""
    """The data protection officer and how to reach them, where there is one."""
    operator: str = ""
    """The firm that runs the box and the central for the site."""
    operator_contact: str = ""
    hosting: str = ""
    """Where the encrypted copies lie."""


class Values(msgspec.Struct, frozen=True):
    """All settings. `places`: the names given to networks and access points; `groups`: several of them.

    `custodians`: who holds the key of a public key (age1...), by that key, and how to reach them.
    """

    branding: Branding = Branding()
    contacts: Contacts = Contacts()
    places: dict[str, str] = {}
    groups: dict[str, tuple[str, ...]] = {}
    custodians: dict[str, str] = {}

    def name_of(self, place: str) -> str:
        """What the site calls a place; the place itself where nobody named it."""
        return self.places.get(place, place)


class Settings:
    """The settings as they stand in the file, read again when the file was changed."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._read: tuple[object, Values, str] | None = None

    def values(self) -> Values:
        """What is set; what a new site has where the file is broken: names and colours must stop no page."""
        return self._current()[1]

    def fault(self) -> str:
        """Why the file cannot be read, and what to do; empty where it can."""
        return self._current()[2]

    def check(self, **parts: object) -> None:
        """Raises ValueError("part: why") for parts that cannot be meant, before they are noted."""
        _checked(self.values(), parts)

    def change(self, **parts: object) -> Values:
        """Replace whole parts (`places=`, ...).

        Raises ValueError("part: why"), StorageError, and HomeError where the file is broken: it is not lost.
        """
        with self._lock:
            changed = _checked(_read(self._state / NAME), parts)
            text = tomlkit.dumps(msgspec.to_builtins(changed))
            files.write_once(self._state / NAME, text.encode())
            self._read = (self._version(), changed, "")
            return changed

    def logo(self) -> bytes | None:
        """The logo as PNG; None if there is none."""
        with contextlib.suppress(OSError):
            return (self._state / LOGO).read_bytes()
        return None

    def keep_logo(self, content: bytes) -> None:
        """Have this PNG as the logo; none where it is empty. Raises StorageError."""
        if content:
            files.write_once(self._state / LOGO, content)
        else:
            (self._state / LOGO).unlink(missing_ok=True)

    def _current(self) -> tuple[object, Values, str]:
        with self._lock:
            version = self._version()
            if self._read is None or self._read[0] != version:
                try:
                    self._read = (version, _read(self._state / NAME), "")
                except HomeError as error:
                    self._read = (version, Values(), str(error))
            return self._read

    def _version(self) -> object:
        with contextlib.suppress(FileNotFoundError):
            found = (self._state / NAME).stat()
            return (found.st_ino, found.st_mtime_ns, found.st_size)
        return None


def open(state: Path) -> Settings:  # noqa: A001 - read as `settings.open`
    """The settings of the page whose folder this is."""
    return Settings(state)


def _checked(values: Values, parts: Mapping[str, object]) -> Values:
    changed = msgspec.structs.replace(values, **parts)
    wrong = wrong_values(changed)
    if wrong:
        raise ValueError(f"{wrong[0]}: {wrong[1]}")
    return changed


def wrong_values(values: Values) -> tuple[str, str] | None:
    """(part, what is wrong with it) or None."""
    if not _COLOUR.fullmatch(values.branding.colour):
        return "colour", "a colour is written like #205080"
    if not _named(values.branding.name):
        return "name", f"a name is one line of at most {NAME_LIMIT} characters"
    for part, text in msgspec.structs.asdict(values.contacts).items():
        if len(text) > TEXT_LIMIT or not text.isprintable():
            return part, f"write one line of at most {TEXT_LIMIT} characters"
    return _wrong_custodians(values.custodians) or _wrong_names(values.places, values.groups)


def _wrong_custodians(custodians: Mapping[str, str]) -> tuple[str, str] | None:
    lines = [text for pair in custodians.items() for text in pair]
    if len(custodians) > CUSTODIAN_LIMIT or any(len(line) > TEXT_LIMIT for line in lines):
        return "custodians", f"at most {CUSTODIAN_LIMIT} custodians, of {TEXT_LIMIT} characters each"
    if not all(line.strip() and line.isprintable() for line in lines):
        return "custodians", "write one line for each"
    return None


def _wrong_names(places: Mapping[str, str], groups: Mapping[str, tuple[str, ...]]) -> tuple[str, str] | None:
    if len(places) > PLACE_LIMIT or len(groups) > GROUP_LIMIT:
        return "places", f"at most {PLACE_LIMIT} places and {GROUP_LIMIT} groups"
    if not all(_named(name) for pair in places.items() for name in pair):
        return "places", f"a name is one line of at most {NAME_LIMIT} characters"
    for group, members in groups.items():
        if not _named(group):
            return "groups", f"a name is one line of at most {NAME_LIMIT} characters"
        if not members or len(members) > PLACE_LIMIT or not all(map(_named, members)):
            return "groups", "a group needs its places"
    return None


def _named(text: str) -> bool:
    return text.isprintable() and 0 < len(text.strip()) <= NAME_LIMIT


def _read(path: Path) -> Values:
    try:
        values = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Values)
    except FileNotFoundError:
        return Values()
    except OSError as error:
        raise HomeError(f"cannot read {path}: {error.strerror}; check who owns it") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise HomeError(f"{path} is not understood: {error}; correct it or remove it") from error
    wrong = wrong_values(values)
    if wrong:
        raise HomeError(f"{path}: {wrong[0]}: {wrong[1]}; correct it")
    return values
