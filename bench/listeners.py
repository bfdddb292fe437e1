"""Who listens: Greffier, the meters that Debian packages, and two programs that only read, all live.

Each is given 128 MB of kernel buffer, Greffier's own size, in place of the 2 MB that most others take by
themselves; nfpcapd takes 256 MB whatever it is told.
"""

import json
import re
import shlex
import shutil
import subprocess
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute
import pyarrow.parquet

from bench import contestants

BUFFER_BYTES = 128 << 20
_SINK = "127.0.0.1:9"


@dataclass(frozen=True)
class Said:
    """What a listener says of itself: frames it took, frames it knows to have lost.

    `accounted` is what can be found again: packets in records, and frames that are counted as no record
    (ARP, which makes a binding, is not among them).
    """

    took: int
    lost: int
    accounted: int | None = None


class Listener(ABC):
    """A program that listens to an interface until SIGTERM, each run in a scratch folder of its own."""

    name: str
    is_meter = True

    @abstractmethod
    def is_there(self) -> bool:
        """Whether this machine has it."""

    def prepare(self, scratch: Path) -> None:  # noqa: B027 (most need nothing)
        """What comes before it starts."""

    @abstractmethod
    def command(self, interface: str, scratch: Path) -> list[str]:
        """What is measured."""

    def ask(self, scratch: Path) -> str:
        """What it says only while it runs, asked when all frames are through."""
        return ""

    @abstractmethod
    def counts(self, said: str, scratch: Path) -> Said:
        """Its counts, out of all it said."""


class Greffier(Listener):
    """This program, to the sealed and encrypted vault; its records are read again as custodians would."""

    name = "greffier"

    def __init__(self) -> None:
        self._program = contestants.Greffier()

    def is_there(self) -> bool:
        return self._program.is_there()

    def prepare(self, scratch: Path) -> None:
        self._program.prepare(scratch)

    def command(self, interface: str, scratch: Path) -> list[str]:
        return [*self._program.command([], scratch), "--interface", interface]

    def counts(self, said: str, scratch: Path) -> Said:
        told = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
        found = recorded(scratch) + sum(told["refused"].values()) + told["noted"].get("duplicate", 0)
        return Said(told["packets"], told["lost"], found)


class Nfpcapd(Listener):
    """nfdump's meter; LZ4 (`-y`) is its fastest compression."""

    name = "nfpcapd"

    def is_there(self) -> bool:
        return shutil.which("nfpcapd") is not None

    def prepare(self, scratch: Path) -> None:
        (scratch / "flows").mkdir()

    def command(self, interface: str, scratch: Path) -> list[str]:
        return _words(f"nfpcapd -i {interface} -y -b {BUFFER_BYTES >> 20} -l", scratch / "flows")

    def counts(self, said: str, scratch: Path) -> Said:
        return Said(_number(r"Total: Processed: (\d+)", said), _number(r"dropped by OS/Buffer: (\d+)", said))


class Softflowd(Listener):
    """A meter that stores nothing: NetFlow 9 over UDP to nobody, with a table large enough for all flows.

    It looks at the last few hundred packets in its ring only when more come; they count as taken.
    """

    name = "softflowd"

    def is_there(self) -> bool:
        return shutil.which("softflowd") is not None

    def command(self, interface: str, scratch: Path) -> list[str]:
        files = ["-c", str(scratch / "control"), "-p", str(scratch / "pid")]
        wanted = f"softflowd -d -i {interface} -v 9 -m 2000000 -n {_SINK} -B {BUFFER_BYTES}"
        return [*_words(wanted), *files]

    def ask(self, scratch: Path) -> str:
        command = ["softflowctl", "-c", str(scratch / "control"), "statistics"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def counts(self, said: str, scratch: Path) -> Said:
        lost = _number(r"Packets dropped by libpcap: (\d+)", said)
        return Said(_number(r"Packets received by libpcap: (\d+)", said) - lost, lost)


class Tcpdump(Listener):
    """Takes every packet and writes it to nowhere."""

    name = "tcpdump -w"
    is_meter = False

    def is_there(self) -> bool:
        return shutil.which("tcpdump") is not None

    def command(self, interface: str, scratch: Path) -> list[str]:
        return _words(f"tcpdump -i {interface} -B {BUFFER_BYTES >> 10} -w /dev/null")

    def counts(self, said: str, scratch: Path) -> Said:
        lost = _number(r"(\d+) packets? dropped by kernel", said)
        return Said(_number(r"(\d+) packets? captured", said), lost)


class LibpcapLoop(Listener):
    """The floor: listen.c beside this file, compiled here."""

    name = "libpcap loop"
    is_meter = False

    def is_there(self) -> bool:
        return contestants.LibpcapLoop().is_there()

    def prepare(self, scratch: Path) -> None:
        compile_c("listen", scratch, "-lpcap")

    def command(self, interface: str, scratch: Path) -> list[str]:
        return [str(scratch / "listen"), interface, str(BUFFER_BYTES)]

    def counts(self, said: str, scratch: Path) -> Said:
        return Said(_number(r"packets (\d+)", said), _number(r"dropped (\d+)", said))


ALL = (Greffier(), Nfpcapd(), Softflowd(), Tcpdump(), LibpcapLoop())


def compile_c(name: str, folder: Path, *libraries: str) -> Path:
    """Compile one of the C programs beside this file."""
    source = Path(__file__).with_name(f"{name}.c")
    subprocess.run(["cc", "-O2", "-o", folder / name, source, *libraries], check=True)
    return folder / name


def recorded(scratch: Path) -> int:
    """Packets in all records of a home, read with both custodians' keys."""
    keys = [word for number in (1, 2) for word in ("--identity", str(scratch / f"custodian-{number}"))]
    answer = scratch / "answer.parquet"
    contestants.greffier(
        "search", "--home", str(scratch / "home"), *keys, "--format", "parquet", "--out", str(answer)
    )
    table = pyarrow.parquet.read_table(answer, columns=["packets_out", "packets_in"])
    return sum(int(pyarrow.compute.sum(column).as_py() or 0) for column in table.columns)


def _words(command: str, *more: Path) -> list[str]:
    return [*shlex.split(command), *map(str, more)]


def _number(pattern: str, said: str) -> int:
    found = re.search(pattern, said)
    if found is None:
        raise SystemExit(f"nothing like '{pattern}' in what was said:\n{said[-2000:]}")
    return int(found[1])
