"""Whether every declared source, and every access point it speaks for, still speaks as it usually does.

What was learned survives a restart in `state/rhythms.json`, which holds labels and no address: an access
point without a name stands there under a keyed hash of its MAC. The key lies in the same file: the hash keeps
a MAC from the eye and out of alarms and logs, not from a thief of the disk, who reads it in sources.toml
anyway.
"""

import contextlib
import hmac
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from appliance.feeds.rhythm import Rhythm
from appliance.model.addresses import mac_number, mac_text
from appliance.model.errors import StorageError
from appliance.model.feeds import DeclaredSource
from appliance.model.instants import MINUTE_NS, NS, to_iso
from appliance.runtime.files import write_once
from appliance.services.feeds.noticeboard import Noticeboard
from appliance.services.feeds.rhythm_words import sentence
from appliance.services.recording.alarms import Alarms

NAME = "rhythms.json"
SAVE_EVERY_NS = 5 * MINUTE_NS
POST_EVERY_NS = 5 * NS
UNDECLARED_LIMIT = 256
"""Access points that a source speaks for and nobody declared: shown so that they may be; forged, perhaps."""

Speaker = tuple[str, str]
"""A source's label; the access point's name, or "" for the source itself."""


class Rhythms:
    """The rhythms of what is declared; raises and lowers the alarms of silence."""

    def __init__(self, folder: Path, alarms: Alarms, board: Noticeboard | None = None) -> None:
        self._path = folder / NAME
        self._alarms = alarms
        self._board = board
        self._key, self._rhythms = _load(self._path)
        self._access_points: dict[DeclaredSource, dict[int, str]] = {}
        self._declared: Sequence[DeclaredSource] = ()
        self._undeclared: dict[str, set[int]] = {}
        self._silent: set[str] = set()
        self._saved_ns = self._posted_ns = 0

    def recall(self, heard_before: Mapping[str, int]) -> None:
        """Sources by label, and when they were last heard: a run that died may not have kept it here."""
        later = {
            label: last_ns
            for label, last_ns in heard_before.items()
            if last_ns > self._rhythm((label, "")).last_ns
        }
        for label, last_ns in later.items():
            self._rhythm((label, "")).last_ns = last_ns
        if later:
            self._save()

    def heard(self, declared: DeclaredSource, said_ns: int, spoken_by: frozenset[int] = frozenset()) -> None:
        """A source has spoken at this instant, about these access points (MAC numbers)."""
        self._rhythm((declared.label, "")).heard(said_ns)
        if spoken_by:
            own = self._names(declared)
            for mac in spoken_by:
                if mac in own:
                    self._rhythm((declared.label, own[mac])).heard(said_ns)
                else:
                    others = self._undeclared.setdefault(declared.label, set())
                    if len(others) < UNDECLARED_LIMIT:
                        others.add(mac)

    def look(self, now_ns: int, declared: Sequence[DeclaredSource]) -> None:
        """Once a second: who is silent for longer than usual."""
        if declared is not self._declared:
            self._follow(declared)
        for source in declared:
            own = self._rhythm((source.label, ""))
            for name in ("", *self._names(source).values()):
                rhythm = self._rhythm((source.label, name))
                rhythm.look(now_ns)
                # Who is silent says nothing of its access points either: one alarm, not a hundred.
                self._say(source, name, rhythm, now_ns, rhythm.is_silent and (not name or not own.is_silent))
        if self._board and not 0 <= now_ns - self._posted_ns < POST_EVERY_NS:
            self._posted_ns = now_ns
            self._board.post("rhythms", self.shown(now_ns, declared))
        if not 0 <= now_ns - self._saved_ns < SAVE_EVERY_NS:
            if self._saved_ns:
                self._save()
            self._saved_ns = now_ns

    def close(self, now_ns: int) -> None:
        """Listening ends in order: what was learned is kept, and nobody is missed any more."""
        self.look(now_ns, self._declared)
        self._save()
        for kind in self._silent:
            self._alarms.lower(kind)
        self._silent.clear()

    def _rhythm(self, speaker: Speaker) -> Rhythm:
        found = self._rhythms.get(speaker)
        if found is None:
            found = self._rhythms[speaker] = Rhythm()
        return found

    def _names(self, source: DeclaredSource) -> dict[int, str]:
        """The names of a source's access points by MAC: its own, else that of the source it is by itself."""
        names = self._access_points.get(source)
        if names is None:
            by_mac = {other.mac: other.label for other in self._declared if other.mac}
            labels = source.ap_labels or ("",) * len(source.ap_macs)
            names = {
                mac_number(text): label or by_mac.get(text) or self._hashed(text)
                for text, label in zip(source.ap_macs, labels, strict=True)
            }
            self._access_points[source] = names
        return names

    def _hashed(self, mac: str) -> str:
        return "#" + hmac.digest(self._key, mac.encode(), "sha256").hex()[:12]

    def _follow(self, declared: Sequence[DeclaredSource]) -> None:
        """The declarations have changed: who is declared no more is forgotten, and missed by nobody."""
        self._declared = declared
        self._access_points.clear()
        speakers = {
            (source.label, name) for source in declared for name in ("", *self._names(source).values())
        }
        for speaker in [known for known in self._rhythms if known not in speakers]:
            del self._rhythms[speaker]
        for kind in self._silent - {_kind(speaker) for speaker in speakers}:
            self._alarms.lower(kind)
            self._silent.discard(kind)
        labels = {source.label: set(self._names(source)) for source in declared}
        self._undeclared = {
            label: macs - labels[label] for label, macs in self._undeclared.items() if label in labels
        }

    def _say(self, source: DeclaredSource, name: str, rhythm: Rhythm, now_ns: int, is_alarming: bool) -> None:
        kind = _kind((source.label, name))
        if is_alarming:
            if self._alarms.rise(kind, sentence(source, name, rhythm, now_ns)):
                self._posted_ns = 0  # to be shown at once
            self._silent.add(kind)
        elif kind in self._silent:
            self._alarms.lower(kind)
            self._silent.discard(kind)
            self._posted_ns = 0

    def shown(self, now_ns: int, declared: Sequence[DeclaredSource]) -> dict[str, Any]:
        """How every source and access point stands, by label, as it is posted."""
        if declared is not self._declared:
            self._follow(declared)
        shown: dict[str, Any] = {}
        for source in self._declared:
            points = [
                {"name": name, "mac": mac_text(mac), **_as_shown(self._rhythm((source.label, name)), now_ns)}
                for mac, name in self._names(source).items()
            ]
            undeclared = [mac_text(mac) for mac in sorted(self._undeclared.get(source.label, ()))]
            shown[source.label] = {
                **_as_shown(self._rhythm((source.label, "")), now_ns),
                "access_points": points,
                "undeclared_access_points": undeclared,
            }
        return shown

    def _save(self) -> None:
        rhythms = [
            {
                "source": label,
                "access_point": name,
                "last_ns": rhythm.last_ns,
                "silent_ns": rhythm.silent_ns,
                "pauses": round(rhythm.pauses, 3),
                "hours": rhythm.hours,
            }
            for (label, name), rhythm in self._rhythms.items()
        ]
        content = json.dumps({"key": self._key.hex(), "rhythms": rhythms}).encode()
        with contextlib.suppress(StorageError):  # the recorder has an alarm of its own for such a disk
            write_once(self._path, content)


def _kind(speaker: Speaker) -> str:
    label, name = speaker
    return f"silent:{label}/{name}" if name else f"silent:{label}"


def _as_shown(rhythm: Rhythm, now_ns: int) -> dict[str, Any]:
    return {
        "last": to_iso(rhythm.last_ns) if rhythm.last_ns else None,
        "silent": rhythm.is_silent,
        "usual_pause_s": round(rhythm.usual_s(now_ns), 1) if rhythm.is_learned(now_ns) else None,
    }


def _load(path: Path) -> tuple[bytes, dict[Speaker, Rhythm]]:
    """What an earlier run learned; a file that is not whole teaches nothing."""
    try:
        content = json.loads(path.read_bytes())
        return bytes.fromhex(content["key"]), {
            (str(fields["source"]), str(fields["access_point"])): _rhythm(fields)
            for fields in content["rhythms"]
        }
    except (OSError, ValueError, KeyError, TypeError):
        return os.urandom(32), {}


def _rhythm(fields: Mapping[str, Any]) -> Rhythm:
    hours = [[(int(day), int(pause_s)) for day, pause_s in days] for days in fields["hours"]]
    if len(hours) != 24:
        raise ValueError("a day has 24 hours")
    return Rhythm(hours, int(fields["last_ns"]), int(fields["silent_ns"]), float(fields["pauses"]))
