"""A PostgreSQL server for the benchmark, with its defaults, on the load's core."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench import central_places

_USER = "nobody"
"""The server refuses to run as root."""


def _program(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    path = str(found[-1]) if found else shutil.which(name)
    if path is None:
        raise SystemExit(f"there is no {name}; install the package 'postgresql'")
    return path


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """The URL of an empty database; the server and its files are gone afterwards."""
    data, sockets = folder / "postgresql", folder / "sockets"
    as_user = (
        ["setpriv", f"--reuid={_USER}", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    )
    for made in (data, sockets):
        made.mkdir()
        if as_user:
            shutil.chown(made, _USER)
    for parent in (folder, folder.parent):
        parent.chmod(parent.stat().st_mode | 0o011)
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    subprocess.run(
        [*as_user, _program("initdb"), "-D", str(data), "-U", "greffier", "-A", "trust", "-E", "UTF8"],
        check=True, stdout=subprocess.DEVNULL, env=environment,
    )  # fmt: skip
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
    settings = [f"-cport={port}", "-clisten_addresses=127.0.0.1", f"-cunix_socket_directories={sockets}"]
    command = [
        "taskset",
        "-c",
        str(central_places.LOAD_CORE),
        *as_user,
        _program("postgres"),
        "-D",
        str(data),
    ]
    with (folder / "postgresql.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *settings, "-cmax_connections=200"], stdout=log, stderr=log, env=environment
        )
    try:
        _await(port, folder, process)
        yield f"postgresql://greffier@127.0.0.1:{port}/postgres"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


def _await(port: int, folder: Path, process: subprocess.Popen[bytes]) -> None:
    import psycopg

    until = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(f"postgresql://greffier@127.0.0.1:{port}/postgres", connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit((folder / "postgresql.log").read_text()[-2000:]) from None
            time.sleep(0.1)
