"""Alarms that stand: raised once, lowered when their cause is gone."""

import time
from collections.abc import Iterator
from dataclasses import replace

from appliance.runtime.recorder_state import Alarm


class Alarms:
    """The standing alarms of one recorder, one a kind."""

    def __init__(self) -> None:
        self._standing: dict[str, Alarm] = {}

    def __iter__(self) -> Iterator[Alarm]:
        return iter(self._standing.values())

    def rise(self, kind: str, message: str) -> bool:
        """Raise an alarm; true if it was not standing already, else only its sentence is renewed."""
        if kind in self._standing:
            self._standing[kind] = replace(self._standing[kind], message=message)
            return False
        self._standing[kind] = Alarm(kind, time.time_ns(), message)
        return True

    def lower(self, kind: str) -> None:
        """The cause is gone."""
        self._standing.pop(kind, None)

    def message(self, kind: str) -> str:
        """The sentence of a standing alarm."""
        return self._standing[kind].message
