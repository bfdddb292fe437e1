"""Captures that broke other decoders: recorded or refused, each in bounded time, all in bounded memory.

The few here are always recorded; all of `../shared/data` is decoded where that folder is.
"""

import json
import resource
import subprocess
import time
from pathlib import Path

import pytest

from appliance.capture.files import CaptureFile
from appliance.model.errors import CaptureError
from appliance.wire.decode import Decoder
from tests.system.boxes import GREFFIER, make_box

HERE = Path(__file__).parent / "malformed"
EVERYTHING = Path(__file__).parents[3] / "shared" / "data"
SUFFIXES = (".pcap", ".pcapng")
EACH_S = 5.0
"""CPU time; the slowest takes a hundredth of it."""

MEMORY_BYTES = 512 << 20
"""What a recorder may take: half of it are its libraries and a batch."""

is_absent = pytest.mark.skipif(
    not EVERYTHING.is_dir(), reason="../shared/data (captures of others) is absent"
)


def captures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)


@pytest.mark.parametrize("folder", [HERE, pytest.param(EVERYTHING, marks=is_absent)])
def test_each_is_decoded_or_refused_in_bounded_time(folder: Path) -> None:
    assert len(captures(folder)) >= 80
    for path in captures(folder):
        begun, decoder, frames, told = time.process_time(), Decoder(), 0, 0
        try:
            with CaptureFile(path) as capture:
                for batch in capture:
                    said = decoder.decode(batch)
                    frames += len(batch)
                    told += sum(map(len, said.packets)) + sum(said.refused.values()) + len(said.claims)
        except CaptureError:
            continue
        finally:
            assert time.process_time() - begun < EACH_S, path
        assert told or not frames, path


def test_all_are_recorded_by_one_command_in_bounded_memory(tmp_path: Path) -> None:
    box = make_box(tmp_path, ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fe80::/10", "2000::/3"])
    command = [GREFFIER, "record", "--json", "--home", box.home, *captures(HERE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, CaptureError.exit_code), done.stderr
    said = json.loads(done.stdout)
    assert said["records"] > 0
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < MEMORY_BYTES
    assert len(box.search()) > 0
    box.run("verify")
