"""Whether a vault may be recorded: a site can want that a lapsed legal basis stops it. Looked at meanwhile.

What counts is the first instant of a row: what began before the lapse is kept, and stays for its term.
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from appliance.model.errors import HomeError
from appliance.model.instants import to_iso
from appliance.model.reasons import Note
from appliance.retention import lawful
from appliance.retention.lawful import Spell
from appliance.runtime.clock import now_ns as wall_clock
from appliance.services.recording.alarms import Alarms
from appliance.vault.names import Home, VaultName

Rows = NDArray[np.void]

NOTES: Mapping[VaultName, Note] = {
    VaultName.TRAFFIC: Note.TRAFFIC_STOPPED,
    VaultName.SOURCE: Note.SOURCE_STOPPED,
}
"""How the coverage says that rows of a vault were not kept."""

_TIME_OF = {VaultName.TRAFFIC: "first_seen", VaultName.SOURCE: "from"}


class Permission(Protocol):
    """Says which rows of a vault may be kept."""

    def look(self, alarms: Alarms) -> None: ...
    def split(self, vault: VaultName, rows: Rows) -> tuple[Rows, Rows]: ...


class Always:
    """Nothing is ever stopped."""

    def look(self, alarms: Alarms) -> None:
        """Nothing to look at."""

    def split(self, vault: VaultName, rows: Rows) -> tuple[Rows, Rows]:
        """All rows, and none."""
        return rows, rows[:0]


class AsSaid:
    """What legal.toml of a home says, as long as it can be read; before and after that the last known."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._stamp: tuple[int, int, int] | None = None
        self._spells: dict[VaultName, tuple[Spell, ...]] = {}

    def look(self, alarms: Alarms) -> None:
        """Read what has changed; say what is stopped now. Costs a look at the file, mostly."""
        stamp = self._look()
        if stamp != self._stamp:
            try:
                said = lawful.read(self._home)
            except HomeError as error:
                alarms.rise("legal", f"{error}; until then everything is recorded as before")
            else:
                self._stamp = stamp
                self._spells = {
                    vault: spells for vault in VaultName if (spells := lawful.stopped(said, vault))
                }
                alarms.lower("legal")
        self._tell(alarms)

    def split(self, vault: VaultName, rows: Rows) -> tuple[Rows, Rows]:
        """The rows that may be kept, and those that may not."""
        spells = self._spells.get(vault)
        if not spells or not len(rows):
            return rows, rows[:0]
        at = rows[_TIME_OF[vault]]
        stopped = np.zeros(len(rows), bool)
        for spell in spells:
            stopped |= (at >= spell.first_ns) & (at < spell.until_ns)
        return (rows[~stopped], rows[stopped]) if stopped.any() else (rows, rows[:0])

    def _look(self) -> tuple[int, int, int] | None:
        try:
            known = lawful.path_of(self._home).stat()
        except OSError:
            return None
        return known.st_ino, known.st_size, known.st_mtime_ns

    def _tell(self, alarms: Alarms) -> None:
        now_ns = wall_clock()
        for vault in VaultName:
            since = [one for one in self._spells.get(vault, ()) if one.first_ns <= now_ns < one.until_ns]
            if since:
                alarms.rise(
                    f"{vault}_stopped",
                    f"nothing of vault '{vault}' is recorded since {to_iso(since[0].first_ns)[:19]}Z: its "
                    "legal basis has lapsed and the site wants it to stop then; confirm the renewal, or set "
                    "'alert'",
                )
            else:
                alarms.lower(f"{vault}_stopped")
