"""No client, no peer and no name of real captures is in the statistics, on disk or in the memory that counts.

Which addresses and names the captures hold is tshark's answer, in `tests/system/test_secrecy.py`.
"""

import itertools
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.capture.files import CaptureFile
from appliance.config import box as settings
from appliance.flows.meter import MULTIPLIERS, Meter
from appliance.flows.table import Limits
from appliance.model.instants import NS
from appliance.model.networks import Networks
from appliance.services.recording import tables
from appliance.services.recording.totals import Totals
from appliance.statistics.files import StatisticsWriter
from appliance.vault.names import Home
from appliance.wire.decode import Decoder
from tests.system.boxes import make_box
from tests.system.test_secrecy import CAPTURES, NETWORKS, address_forms, found_in, words

TOO_SHORT = 6
"""Four bytes of a binary address turn up by chance; the texts and the six bytes of a MAC do not."""


@pytest.fixture(scope="module")
def forms() -> dict[str, set[bytes]]:
    long_enough = {
        name: {form for form in written if len(form) >= TOO_SHORT}
        for name, written in address_forms().items()
    }
    return long_enough | {word.decode("latin-1"): {word} for word in words()}


def metered() -> tuple[list[Any], list[Any]]:
    """The decoded batches of the captures, and the rows that they became."""
    meter = Meter(
        Networks.of(NETWORKS),
        Limits(60 * NS, 60 * NS, 100_000),
        np.arange(1, MULTIPLIERS + 1, dtype=np.uint64),
    )
    decoder, batches, rows = Decoder(), [], []
    for capture in CAPTURES:
        with CaptureFile(capture) as frames_of:
            for frames in frames_of:
                packets = decoder.decode(frames).packets
                batches.append((frames, packets))
                rows.append(meter.add(packets, 0, int(frames.time[-1])))
    return batches, [*rows, meter.finish()]


def held(value: object, seen: set[int]) -> bytes:
    """Every byte that an object and what it holds keep, whatever it is: a dump of its memory."""
    if id(value) in seen:
        return b""
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        return bytes(value.tobytes())
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, int):
        return (
            b"%d %x" % (value, value)
            + value.to_bytes(16, "little", signed=True)
            + value.to_bytes(16, "big", signed=True)
        )
    inside: list[object] = []
    if isinstance(value, dict):
        inside = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        inside = list(value)
    else:
        inside = list(getattr(value, "__dict__", {}).values())
    return b"\0".join(held(one, seen) for one in inside)


def test_the_counting_holds_nothing_that_the_captures_said(
    forms: dict[str, set[bytes]], tmp_path: Path
) -> None:
    box = make_box(tmp_path, NETWORKS)
    home = Home(box.home)
    known = tables.load(None)
    totals = Totals(settings.read(home.config), known, StatisticsWriter(home, "cafe0123"))
    batches, rows = metered()
    for _, packets in batches:
        totals.glance(packets)
    for part in rows:
        totals.keep(part)
    totals._count()
    counting = totals._counting
    assert counting._hours
    assert counting._days
    for dump in (pickle.dumps(counting), held(counting, set()), pickle.dumps(totals._waiting)):
        assert found_in(dump, forms) == set()
    # The same search over what was counted, and over what was glanced at, finds plenty.
    assert len({name for name, _ in found_in(pickle.dumps(rows), forms)}) > 20
    seen = b"".join(frames.data.tobytes() for frames, _ in batches)
    assert len({name for name, _ in found_in(seen, forms)}) > 50
    totals.finish()
    for path in home.statistics.rglob("*"):
        assert found_in(str(path).encode() + (path.read_bytes() if path.is_file() else b""), forms) == set()
    assert list(home.statistics.glob("*/*.jsonl"))


def test_recorded_by_the_command_nothing_is_on_disk(forms: dict[str, set[bytes]], tmp_path: Path) -> None:
    box = make_box(tmp_path, NETWORKS)
    box.run("record", *CAPTURES)
    kept = [path for path in (box.home / "statistics").rglob("*") if path.is_file()]
    content = b"\0".join(str(path).encode() + b"\0" + path.read_bytes() for path in kept)
    shown = box.run("statistics", "--json") + box.run("statistics", "--by", "hour")
    assert b'"users":' in content
    assert found_in(content + shown.encode(), forms) == set()
    # Had a client been written in any of its forms, the search would have seen it.
    for name, written in itertools.islice(forms.items(), 40):
        for form in written:
            assert found_in(content + b"..." + form + b"...", {name: written}) != set()
