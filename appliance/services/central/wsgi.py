"""A central as a WSGI application: its folder opened, its requests answered, its keeper beside them."""

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from peewee import InterfaceError, OperationalError

from appliance.central import places, web
from appliance.central.places import Central
from appliance.central.tallies import Reason, Tallies
from appliance.https.mishaps import Mishap
from appliance.model.errors import CentralError, StorageError
from appliance.services.central.keeper import Keeper


class CentralApplication:
    """One process of a central. To be made after the process was forked: it has connections and a thread."""

    def __init__(self, folder: Path) -> None:
        self._central = _opened(folder)
        self._tallies = Tallies()
        self._web = web.app(self._central, self._tallies)
        self._keeper = Keeper(self._central, self._tallies)
        self._keeper.start()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer: Iterable[bytes] = self._web(environ, start_response)
        return answer

    def count_mishap(self, mishap: Mishap) -> None:
        """A peer that no request came of, for the tallies of the day."""
        self._tallies.count(Reason(mishap.value))

    def close(self) -> None:
        """Write what is still counted, let the keeper end and connections go."""
        self._keeper.stop()
        self._central.close()


def _opened(folder: Path) -> Central:
    """The central, once its servers answer: a process that gave up would take the others with it.

    Raises CentralError for a folder that is not as it must be: waiting mends nothing there.
    """
    told = False
    while True:
        try:
            return places.open(folder)
        except (CentralError, StorageError) as error:
            if not isinstance(error.__cause__, _AWAY):
                raise
            if not told:
                sys.stderr.write(f"greffier: {error}; it is tried again every second\n")
            told = True
            time.sleep(1)


_AWAY = (OperationalError, InterfaceError, BotoCoreError, ClientError)


def application(folder: str) -> CentralApplication:
    """For a WSGI server's command line. Raises CentralError."""
    return CentralApplication(Path(folder))
