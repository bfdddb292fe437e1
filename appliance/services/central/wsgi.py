"""A central as a WSGI application: its folder opened, its requests answered, its keeper beside them."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from appliance.central import places, web
from appliance.central.tallies import Tallies
from appliance.services.central.keeper import Keeper


class CentralApplication:
    """One process of a central. To be made after the process was forked: it has connections and a thread."""

    def __init__(self, folder: Path) -> None:
        self._central = places.open(folder)
        self.tallies = Tallies()
        self._web = web.app(self._central, self.tallies)
        self._keeper = Keeper(self._central, self.tallies)
        self._keeper.start()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer: Iterable[bytes] = self._web(environ, start_response)
        return answer

    def close(self) -> None:
        """Write what is still counted, let the keeper end and connections go."""
        self._keeper.stop()
        self._central.close()


def application(folder: str) -> CentralApplication:
    """For a WSGI server's command line. Raises CentralError."""
    return CentralApplication(Path(folder))
