"""A capture read through the glance, and what others say of it."""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from appliance.capture.files import CaptureFile
from appliance.classify import glance
from appliance.classify.names import NO_DOTS, Names
from appliance.classify.systems import systems
from appliance.model.addresses import ip_halves
from appliance.model.rows import TRAFFIC
from appliance.services.recording.tables import load
from appliance.wire.decode import Decoder

TABLES = load()
SECRETS = np.random.default_rng(9001).integers(0, 1 << 63, glance.MULTIPLIERS, dtype=np.uint64)
ROOT = Path(__file__).parent.parent.parent
SHARED = ROOT.parent / "shared" / "data"


class Listening(Names):
    """Notes the hash of every whole name that was looked up."""

    def __init__(self, *told: object) -> None:
        super().__init__(*told)  # type: ignore[arg-type]
        self.heard: set[int] = set()

    def suffixes(self, data, start, stop, dots=NO_DOTS):  # type: ignore[no-untyped-def]
        of, hashes = super().suffixes(data, start, stop, dots)
        self.heard |= {int(hashes[of == name][-1]) for name in set(of.tolist())}
        return of, hashes


@dataclass
class Read:
    """What a capture left behind."""

    categories: glance.Categories
    names: Listening
    systems: NDArray[np.void]

    def heard(self, name: str) -> bool:
        return self.names.hash(name.lower()) in self.names.heard


def read(path: Path) -> Read:
    """Every frame of a capture decoded and glanced at."""
    categories = glance.Categories(SECRETS, TABLES)
    names = Listening(int(SECRETS[-1]), TABLES.domains)
    categories._names = names
    decoder = Decoder()
    found = []
    with CaptureFile(path) as file:
        for frames in file:
            for packets in decoder.decode(frames).packets:
                categories.glance(packets)
                found.append(systems(packets, TABLES.fingerprints))
    return Read(categories, names, np.concatenate(found) if found else np.empty(0))


def row_of(protocol: int, one: tuple[str, int], other: tuple[str, int]) -> NDArray[np.void]:
    """The TRAFFIC row of a connection in which `one` is the client."""
    row = np.zeros(1, TRAFFIC)
    row["protocol"] = protocol
    for side, (address, port) in (("client", one), ("peer", other)):
        row[f"{side}_ip_hi"], row[f"{side}_ip_lo"] = ip_halves(address)
        row[f"{side}_port"] = port
    return row


@dataclass(frozen=True)
class Flow:
    """One flow of nDPI's published results."""

    protocol: int
    one: tuple[str, int]
    other: tuple[str, int]
    kind: str  # e.g. TLS.Netflix
    category: str
    host: str


_FLOW = re.compile(
    r"^\s*\d+\s+(TCP|UDP) (\S+):(\d+) (?:<->|->) (\S+):(\d+) (?:\[VLAN[^\]]*\])?\[proto: [\d.]+/([^\]]+)\].*?"
    r"\[cat: ([A-Za-z]+)/\d+\](?:.*?\[Hostname/SNI: ([^\]]*)\])?"
)


def published(capture: Path) -> Iterator[Flow]:
    """Flows in nDPI's results; `host` is empty where it found none."""
    for line in capture.with_name(capture.name + ".out").read_text(errors="replace").splitlines():
        found = _FLOW.match(line)
        if not found:
            continue
        layer, one, one_port, other, other_port, kind, category, host = found.groups()
        try:
            sides = [str(ipaddress.ip_address(side.strip("[]"))) for side in (one, other)]
        except ValueError:
            continue
        protocol = 6 if layer == "TCP" else 17
        yield Flow(
            protocol,
            (sides[0], int(one_port)),
            (sides[1], int(other_port)),
            kind,
            category,
            (host or "").lower(),
        )
