"""How fast a backlog goes from a box to a central over loopback, proved on both sides: one core each.

The backlog is that of a box cut off for hours at 100 connections a second: of each hour a segment of 4.1 MB
and its index of 0.4 MB, fixed by a line of the chain. Noise stands in place of ciphertext.
"""

import datetime as dt
import os
import secrets
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from appliance.model.instants import NS
from appliance.runtime.files import write_many
from appliance.vault import canonical, envelopes
from appliance.vault.chain import Chain
from appliance.vault.day_keys import DayKey
from appliance.vault.names import Home, VaultName
from appliance.vault.seals import EnvelopeMade, Seal, StoredFile
from bench import central_places
from bench.contestants import program

HOUR_BYTES = (4_100_000, 400_000)
HOURS_A_DAY = 24


@dataclass(frozen=True)
class Drained:
    """A backlog that has gone; processor times are of all processes of each side."""

    size_bytes: int
    wall_s: float
    box_cpu_s: float
    central_cpu_s: float

    @property
    def mb_per_s(self) -> float:
        return self.size_bytes / 1e6 / self.wall_s


def measure(folder: Path, hours: int) -> Drained:
    """Make a box and a central, and drain so many hours."""
    home = _box(folder)
    place = folder / "central"
    central_places.make(place, "")
    with central_places.serving(place) as served:
        said = _greffier("central", "enrol", "--dir", str(place), "--site", "Bench", "--json")
        url = f"https://127.0.0.1:{served.port}"
        _greffier("enrol", "--home", str(home.path), "--to", url, "--code", _code(said))
        size = _fill(home, hours)
        os.sync()
        cpu_s, began = served.cpu_s(), time.perf_counter()
        box_cpu_s = _drain(home)
        wall_s = time.perf_counter() - began
        return Drained(size, wall_s, box_cpu_s, served.cpu_s() - cpu_s)


def _greffier(*words: str) -> str:
    done = subprocess.run([str(program()), *words], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise SystemExit(f"greffier {' '.join(words)}: {done.stderr}")
    return done.stdout


def _code(said: str) -> str:
    import json

    return str(json.loads(said)["code"])


def _box(folder: Path) -> Home:
    home = Home(folder / "box")
    keys = []
    for name in ("first", "second"):
        said = _greffier("custodian", "new", "--out", str(folder / f"{name}.key"))
        keys += ["--custodian", next(word for word in said.split() if word.startswith("age1"))]
    _greffier("init", "--home", str(home.path), "--site", "Bench", *keys, "--client-network", "10.0.0.0/8")
    text = home.config.read_text()
    limits = "rate_kbit = 10000000\nfloor_kbit = 10000000\n"
    if "[replication]" in text:
        kept = [line for line in text.splitlines() if not line.startswith(("rate_kbit", "floor_kbit"))]
        text = "\n".join(kept).replace("[replication]", f"[replication]\n{limits}") + "\n"
    else:
        text += f"\n[replication]\n{limits}"
    home.config.write_text(text)
    return home


def _fill(home: Home, hours: int) -> int:
    """Segments of past hours, with their keys, envelopes and lines; their size in bytes."""
    chain = Chain.open(home)
    today = dt.datetime.now(dt.UTC).date()
    custodians = _custodians(home)
    run, total, vault = secrets.token_hex(4), 0, VaultName.TRAFFIC
    for day_number in range(-(-hours // HOURS_A_DAY)):
        day = today - dt.timedelta(days=day_number + 1)
        key = DayKey(vault, day, secrets.token_hex(8), secrets.token_bytes(32))
        content = envelopes.seal_key(key, run, custodians, 2, chain.signer)
        envelope = StoredFile(f"{key.key_id}.envelope", canonical.sha256(content), len(content))
        write_many([(home.envelopes(vault, day) / envelope.name, content)])
        chain.append([EnvelopeMade(vault, day, key.key_id, run, envelope)])
        for hour in range(min(HOURS_A_DAY, hours - day_number * HOURS_A_DAY)):
            name = f"{hour:02d}00-{key.key_id}-{secrets.token_hex(4)}"
            files = [
                (f"{name}.{suffix}", os.urandom(size))
                for suffix, size in zip(("parquet", "index"), HOUR_BYTES, strict=True)
            ]
            write_many([(home.segments(vault, day) / file, content) for file, content in files])
            stored = tuple(
                StoredFile(file, canonical.sha256(content), len(content)) for file, content in files
            )
            total += sum(file.size_bytes for file in stored)
            first_ns = 1_790_000_000 * NS
            seal = Seal(
                vault, day, key.key_id, run, name, 360_000, first_ns, first_ns + 3600 * NS, stored, (), ()
            )
            chain.append([seal])
    return total


def _custodians(home: Home) -> tuple[str, ...]:
    from appliance.config import box

    return box.read(home.config).custodians


def _drain(home: Home) -> float:
    """Send everything; the processor seconds that the box took."""
    core = str(central_places.LOAD_CORE)
    command = ["taskset", "-c", core, str(program()), "replicate", "--home", str(home.path), "--once"]
    before = os.times()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, timeout=600)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system
