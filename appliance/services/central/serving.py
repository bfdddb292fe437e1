"""Serves a central over HTTPS until it is asked to stop: gunicorn, with the settings that stand beside."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from appliance.central import exposure, places
from appliance.https import serving
from appliance.services.central import settings
from appliance.services.central.wsgi import CentralApplication

Ready = Callable[[str, str, int], None]
"""Told the name of the central, and the address and port that are open."""


def serve(
    folder: Path, address: str, port: int, workers: int, ready: Ready, threads: int = settings.threads
) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished. Ends by SystemExit, as gunicorn does.

    `port` 0 takes any that is free. Raises ListenError, and CentralError for a folder that is not a central.
    """
    central = places.open(folder)
    name = central.identity.name
    central.close()  # every process opens it for itself: no connection survives a fork
    for secret, what in exposure.exposed(folder):
        sys.stderr.write(f"greffier: warning: {secret} {what}\n")
    listener = serving.listen(address, port, settings.backlog)
    at, open_port = listener.getsockname()[:2]
    given = {
        "bind": [f"fd://{listener.fileno()}"],
        "workers": workers,
        "threads": threads,
        "certfile": str(folder / "tls" / "server.pem"),
        "keyfile": str(folder / "tls" / "server.key"),
        "when_ready": lambda arbiter: ready(name, at, open_port),
        "worker_exit": lambda arbiter, worker: worker.app.wsgi().close(),
    }
    serving.serve(partial(CentralApplication, folder), settings, given)
