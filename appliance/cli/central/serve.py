"""Let a central serve: boxes send to it over HTTPS (TLS 1.3), and it signs for what it keeps.

Each worker is a process with its own connections; several centrals may serve the same PostgreSQL and S3, side
by side. Beside the requests it notices sites that fall silent, destroys what has passed its term and renews
its certificate. It stops when it is interrupted, and finishes what is under way.
"""

import argparse
import os
from pathlib import Path

from appliance.cli.where import address_and_port
from appliance.model.errors import UsageError

EXAMPLES = """  greffier central serve --dir /var/lib/greffier-central
  greffier central serve --dir lyon --listen 127.0.0.1:8443 --workers 1
  greffier central serve --dir lyon --listen '[::]:443' --threads 128

  the same by gunicorn's own command (see appliance/services/central/settings.py):
  gunicorn -c python:appliance.services.central.settings -b 0.0.0.0:443 -w 2 \\
      --certfile lyon/tls/server.pem --keyfile lyon/tls/server.key \\
      'appliance.services.central.wsgi:application("lyon")'"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--dir", type=Path, required=True, metavar="DIR", help="the folder of the central")
    parser.add_argument(
        "--listen", default="0.0.0.0:443", metavar="ADDR:PORT",
        help="where; port 0 takes any that is free (default 0.0.0.0:443)",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: one a core, at most 4)")
    parser.add_argument("--threads", type=int, metavar="N", help="requests at once in each (default 64)")


def run(args: argparse.Namespace) -> int:
    """Serve. Exit code 9 when the port cannot be listened to, 11 for a folder that is no central."""
    from appliance.services.central import serving, settings

    address, port = address_and_port(args.listen)
    workers = min(4, os.cpu_count() or 1) if args.workers is None else args.workers
    threads = settings.threads if args.threads is None else args.threads
    if not (1 <= workers <= 64 and 1 <= threads <= 1024):
        raise UsageError("--workers takes 1 to 64, --threads 1 to 1024")
    serving.serve(args.dir, address, port, workers, _ready, threads)
    return 0


def _ready(name: str, address: str, port: int) -> None:
    host = f"[{address}]" if ":" in address else address
    print(f"The central {name} listens at https://{host}:{port} (Ctrl-C ends it)", flush=True)
