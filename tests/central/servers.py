"""A real PostgreSQL and a real S3 server (SeaweedFS) for tests, and centrals on top of them.

Servers are started once a test run, when the first test asks; they die with it, however it dies.
"""

import contextlib
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from appliance.central import places
from appliance.config.central import CentralConfig, PlaceConfig

FOLDER, SERVERS = "folder+sqlite", "s3+postgresql"
START_S = 60
WEED = Path(sys.executable).parent / "weed"
ACCESS_KEY, SECRET_KEY = "central-of-the-tests", "a secret of the tests"


class Postgresql:
    """A PostgreSQL of the tests' own in a temporary folder, reached over a Unix socket only."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="greffier-pg-"))
        self._programs = max(
            Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)
        )
        self._as: list[str] = []
        if os.geteuid() == 0:  # which the server refuses to be
            user = pwd.getpwnam("nobody")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._as = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        self._run(
            "initdb", "-D", "data", "-U", "greffier", "-A", "trust", "-E", "UTF8", "--no-sync", "--no-locale"
        )
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it, with a durable commit as in earnest, and wait until it answers."""
        settings = {
            "listen_addresses": "", "unix_socket_directories": self.folder, "shared_buffers": "32MB",
            "max_connections": 200, "fsync": "on", "autovacuum": "off", "log_min_messages": "warning",
            "dynamic_shared_memory_type": "mmap",
        }  # fmt: skip
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as, "setpriv", "--pdeathsig=QUIT", self._programs / "postgres", "-Ddata", *options],
                cwd=self.folder, stdout=log, stderr=log,
            )  # fmt: skip
        _until(self._answers, self._process, self.folder / "log")

    def stop(self) -> None:
        """Stop it at once, as a power cut would, but for what the kernel holds."""
        if self._process:
            self._process.send_signal(3)
            self._process.wait(START_S)
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"t{uuid.uuid4().hex}"
        self.psql("postgres", f'CREATE DATABASE "{name}"')
        return f"postgresql://greffier@/{name}?host={self.folder}"

    def psql(self, database: str, sql: str) -> str:
        """What psql prints, unaligned, without headings. `database` is a name or a URL."""
        name = database.partition("?")[0].rpartition("/")[2]
        done = subprocess.run(
            ["psql", "-XAtq", "-vON_ERROR_STOP=1", "-h", self.folder, "-Ugreffier", "-d", name, "-c", sql],
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        return done.stdout.strip()

    def _answers(self) -> bool:
        asked = subprocess.run([self._programs / "pg_isready", "-q", "-h", self.folder], timeout=10)
        return asked.returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self._as, self._programs / program, *arguments],
            cwd=self.folder, check=True, stdout=subprocess.DEVNULL, timeout=START_S,
        )  # fmt: skip


class S3:
    """SeaweedFS with its S3 gateway on free ports of the loopback."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="greffier-s3-"))
        keys = {"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}
        who = {
            "name": "central",
            "credentials": [keys],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        (self.folder / "s3.json").write_text(json.dumps({"identities": [who]}))
        # One small volume a bucket, not seven: a test has two buckets, a run hundreds.
        (self.folder / "master.toml").write_text(
            "[master.volume_growth]\ncopy_1 = 1\ncopy_2 = 1\ncopy_other = 1\n"
        )
        self.credentials = self.folder / "credentials"
        self.credentials.write_text(
            f"[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
        )
        self.credentials.chmod(0o600)
        (self.folder / "data").mkdir()
        self._ports = _free_ports()
        self.endpoint = f"http://127.0.0.1:{self._ports['s3']}"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it and wait until it has taken an object."""
        options = [f"-{name}.port={port}" for name, port in self._ports.items()]
        options += [f"-{name}.port.grpc={port + 10_000}" for name, port in self._ports.items()]
        options += ["-s3.port.iceberg=0", "-s3.port.lance=0"]  # which would be the same for every server
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "setpriv", "--pdeathsig=KILL", WEED, "server", "-dir=data",
                    "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", "-s3.config=s3.json", *options,
                    "-master.telemetry=false", "-volume.max=2000", "-master.volumeSizeLimitMB=64",
                ],
                cwd=self.folder, stdout=log, stderr=log,
            )  # fmt: skip
        _until(self._answers, self._process, self.folder / "log")

    def stop(self) -> None:
        """Kill it, and take away the sockets that it leaves behind then."""
        if self._process:
            self._process.kill()
            self._process.wait(START_S)
            self._process = None
        for name, port in self._ports.items():
            for socket_name in (f"{name}-{port}", f"{name}-grpc-{port + 10_000}"):
                Path(f"/tmp/seaweedfs-{socket_name}.sock").unlink(missing_ok=True)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def client(self) -> Any:
        """boto3 beside us, to see what is really there. To be closed."""
        return boto3.client(
            "s3", endpoint_url=self.endpoint, region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
            config=Config(connect_timeout=2, read_timeout=15, retries={"total_max_attempts": 1}),
        )  # fmt: skip

    def place(self, bucket: str) -> PlaceConfig:
        """The settings of a bucket here."""
        return PlaceConfig(self.endpoint, bucket, "", str(self.credentials))

    def _answers(self) -> bool:
        client = self.client()
        try:
            if "first" not in [found["Name"] for found in client.list_buckets()["Buckets"]]:
                client.create_bucket(Bucket="first")
            client.put_object(Bucket="first", Key="first", Body=b"first")
        except (BotoCoreError, ClientError):
            return False
        finally:
            client.close()
        return True


def _until(answers: Any, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for a server, at most START_S, and say what it said if it does not come."""
    end = time.monotonic() + START_S
    while not answers():
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            process.wait()
            raise RuntimeError(f"{process.args} did not start: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


def _free_ports() -> dict[str, int]:
    """Ports of the loopback that are free, and so 10,000 above; the kernel gives none of them to clients."""
    found: list[int] = []
    while len(found) < 4:
        port = 10_000 + uuid.uuid4().int % 10_000
        with socket.socket() as one, socket.socket() as other, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            other.bind(("127.0.0.1", port + 10_000))
            found += [port] if port not in found else []
    return dict(zip(("s3", "master", "volume", "filer"), found, strict=True))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """A real PostgreSQL."""
    server = Postgresql()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """A real S3 server."""
    server = S3()
    yield server
    server.remove()


def config_of(kind: str, request: pytest.FixtureRequest, name: str = "Lyon") -> CentralConfig:
    """Settings of a central on a folder and SQLite, or on a fresh database and fresh buckets."""
    if kind == FOLDER:
        return CentralConfig(name)
    server: S3 = request.getfixturevalue("s3")
    database: Postgresql = request.getfixturevalue("postgresql")
    bucket = f"objects-{uuid.uuid4().hex[:12]}"
    return CentralConfig(
        name,
        catalogue=database.new_database(),
        store=server.place(bucket),
        custody=server.place(bucket.replace("objects", "custody")),
    )


@pytest.fixture(params=[FOLDER, SERVERS])
def central_kind(request: pytest.FixtureRequest) -> str:
    """What a central stands on."""
    return str(request.param)


@pytest.fixture
def central(central_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[places.Central]:
    """An opened central, new, on a folder and SQLite and then on S3 and PostgreSQL."""
    made = places.create(
        tmp_path / "central", config_of(central_kind, request), ("central.example", "127.0.0.1", "localhost")
    )
    yield made
    made.close()
