"""What a thief of a whole central finds, disk and memory: no address of anybody, in any form.

Which addresses the captures hold is tshark's answer. Four bytes turn up by chance in every few gigabytes and
short numbers in every program: a form shorter than `CERTAIN` counts when every one of up to three centrals
with other keys shows it, and one that never was sent those captures does not. A longer one counts at once.
"""

import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tests.system import load, memory_images
from tests.system.boxes import Box, make_box
from tests.system.captures import NS, write_capture
from tests.system.central_boxes import Place, enrol, site_of, unbridle
from tests.system.memory_images import Finder
from tests.system.networks import may_make
from tests.system.test_secrecy import CAPTURES, NETWORKS, address_forms, record_live

CERTAIN = 8
ZSTD = bytes.fromhex("28b52ffd")

needs_root = pytest.mark.skipif(not may_make(), reason="needs root to read memory and to lay a cable")


@dataclass
class Seen:
    """Forms found at one central, and whether the searches saw what they must see."""

    on_disk: set[bytes] = field(default_factory=set)
    in_memory: set[bytes] = field(default_factory=set)
    looks: int = 0

    @property
    def all(self) -> set[bytes]:
        return self.on_disk | self.in_memory


def look(place: Place, finder: Finder, seen: Seen) -> None:
    for pid in place.pids():
        for piece in memory_images.pieces(pid):
            seen.in_memory |= finder.found(piece)
    seen.looks += 1


def unpacked(content: bytes) -> list[bytes]:
    """What zstd makes of every place that looks like one of its frames."""
    frames, start = [], content.find(ZSTD)
    while start >= 0:
        done = subprocess.run(["zstd", "-dcq"], input=content[start:], capture_output=True)
        frames.append(done.stdout)
        start = content.find(ZSTD, start + 1)
    return frames


def look_at_disk(folder: Path, finder: Finder, seen: Seen) -> int:
    size = 0
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            size += len(content)
            for part in (str(path).encode(), content, *unpacked(content)):
                seen.on_disk |= finder.found(part)
    return size


def replicate_to_a_central(box: Box, folder: Path, finder: Finder) -> Seen:
    """Send everything a box has, looking at central's memory meanwhile and afterwards, then at its disk."""
    seen = Seen()
    place = Place.new(folder / f"central-{box.home.name}", "Lyon")
    place.workers = 1
    place.start()
    try:
        enrol(box, place)
        sending = threading.Thread(target=lambda: box.run("replicate", "--once"))
        sending.start()
        while sending.is_alive():
            look(place, finder, seen)
            sending.join(0.5)
        look(place, finder, seen)
        assert look_at_disk(place.folder, finder, seen) > 50_000
    finally:
        place.end()
    look_at_disk(place.folder, finder, seen)  # the log of SQLite is in its file by now
    assert site_of(box).encode() in seen.in_memory & seen.on_disk, "the search itself is blind"
    return seen


def control(folder: Path, finder: Finder) -> Seen:
    """A central that was sent other people's traffic: what it shows is no secret of the captures."""
    box = make_box(folder, [load.CLIENT_NET], "control")
    unbridle(box)
    capture = folder / "control.pcap"
    write_capture(capture, np.arange(3000), 1_795_000_000 * NS + np.arange(3000) * 1_000_000)
    box.run("record", capture)
    return replicate_to_a_central(box, folder, Finder([*finder.patterns, site_of(box).encode()]))


def telling(form: bytes) -> bool:
    """Four bytes with a zero among them (224.0.0.22) are a small number of any program, not an address."""
    return len(form) > 4 or 0 not in form


def shown_by_a_central(name: str, folder: Path, forms: set[bytes]) -> set[bytes]:
    """Forms found at a fresh central that was sent the captures by a fresh box."""
    box = make_box(folder, NETWORKS, name)
    unbridle(box)
    record_live(box, folder)
    box.run("record", *CAPTURES)  # adopts the journal, and leaves segments beside it
    seen = replicate_to_a_central(box, folder, Finder([*forms, site_of(box).encode()]))
    assert seen.looks >= 2
    read_back = box.run("search", *box.identities, "--format", "csv")
    assert len(Finder(forms).found(read_back.encode())) > 50, "the search itself is blind"
    return seen.all & forms


@needs_root
def test_a_whole_central_shows_no_address(tmp_path: Path) -> None:
    forms = {form for written in address_forms().values() for form in written if telling(form)}
    assert sum(len(form) == 4 for form in forms) > 40
    elsewhere = control(tmp_path, Finder(forms)).all
    left = forms - elsewhere
    for name in ("one", "two", "three"):
        found = shown_by_a_central(name, tmp_path, forms) - elsewhere
        assert {form for form in found if len(form) >= CERTAIN} == set()
        left &= found
        if not left:
            return  # mostly after two; the third is for chance
    assert left == set()


@needs_root
def test_the_search_of_memory_finds_what_is_there(tmp_path: Path) -> None:
    """The same search over a process that holds the addresses, as an unsealing central would."""
    forms = address_forms()
    told = tmp_path / "told"
    told.write_bytes(b"\n".join(form for written in forms.values() for form in written if len(form) > 4))
    code = f"content = open({str(told)!r}, 'rb').read(); print(len(content), flush=True); input()"
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline()
        finder = Finder(form for written in forms.values() for form in written)
        found: set[bytes] = set()
        for piece in memory_images.pieces(holder.pid):
            found |= finder.found(piece)
    finally:
        holder.communicate(b"\n", timeout=20)
    assert all(found & written for written in forms.values())
