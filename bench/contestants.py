"""Who runs: Greffier, the meters that Debian packages, and two programs that only read."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from pathlib import Path

from bench.generate import CLIENT_NETWORKS

_SINK = "127.0.0.1:9"  # the discard port: softflowd sends its records there, and nobody listens


class Contestant(ABC):
    """A program that takes capture files, each run in a scratch folder of its own."""

    name: str
    is_meter = True

    @abstractmethod
    def is_there(self) -> bool:
        """Whether this machine has it."""

    def prepare(self, scratch: Path) -> None:  # noqa: B027 (most need nothing)
        """What comes before the clock starts."""

    @abstractmethod
    def command(self, files: list[Path], scratch: Path) -> list[str]:
        """What is timed."""

    def packets(self, _said: str) -> int | None:
        """How many packets it says that it metered or read; None where it does not say."""
        return None


class Greffier(Contestant):
    """This program: from capture file to sealed, encrypted vault, in a home made for the run."""

    name = "greffier"

    def is_there(self) -> bool:
        return program().exists()

    def prepare(self, scratch: Path) -> None:
        recipients = []
        for number in (1, 2):
            answer = greffier("custodian", "new", "--out", str(scratch / f"custodian-{number}"), "--json")
            recipients += ["--custodian", str(json.loads(answer)["recipient"])]
        networks = ["--client-network", *CLIENT_NETWORKS]
        greffier("init", "--home", str(scratch / "home"), "--site", "bench", *recipients, *networks)

    def command(self, files: list[Path], scratch: Path) -> list[str]:
        return [str(program()), "record", "--json", "--home", str(scratch / "home"), *map(str, files)]

    def packets(self, said: str) -> int | None:
        return int(json.loads(said)["packets"])


class Nfpcapd(Contestant):
    """nfdump's meter; LZ4 (`-y`) is its fastest compression. It takes one file a process."""

    name = "nfpcapd"

    def is_there(self) -> bool:
        return shutil.which("nfpcapd") is not None

    def prepare(self, scratch: Path) -> None:
        (scratch / "flows").mkdir()

    def command(self, files: list[Path], scratch: Path) -> list[str]:
        return _one_by_one(f"nfpcapd -y -l {shlex.quote(str(scratch / 'flows'))} -r", files)

    def packets(self, said: str) -> int | None:
        return sum(int(number) for number in re.findall(r"Flows: \d+, Packets: (\d+)", said))


class Softflowd(Contestant):
    """A meter that stores nothing: NetFlow 9 over UDP to nobody, with a table large enough for all flows."""

    name = "softflowd"

    def is_there(self) -> bool:
        return shutil.which("softflowd") is not None

    def command(self, files: list[Path], scratch: Path) -> list[str]:
        return _one_by_one(f"softflowd -d -c none -v 9 -m 2000000 -n {_SINK} -r", files)


class Tcpdump(Contestant):
    """Reads every packet and writes it to nowhere."""

    name = "tcpdump -w"
    is_meter = False

    def is_there(self) -> bool:
        return shutil.which("tcpdump") is not None

    def command(self, files: list[Path], scratch: Path) -> list[str]:
        return _one_by_one("tcpdump -w /dev/null -r", files)


class LibpcapLoop(Contestant):
    """The floor: loop.c beside this file, compiled here."""

    name = "libpcap loop"
    is_meter = False

    def is_there(self) -> bool:
        return shutil.which("cc") is not None and Path("/usr/include/pcap/pcap.h").exists()

    def prepare(self, scratch: Path) -> None:
        source = Path(__file__).with_name("loop.c")
        subprocess.run(["cc", "-O2", "-o", scratch / "loop", source, "-lpcap"], check=True)

    def command(self, files: list[Path], scratch: Path) -> list[str]:
        return [str(scratch / "loop"), *map(str, files)]

    def packets(self, said: str) -> int | None:
        return int(said.split()[1])


ALL = (Greffier(), Nfpcapd(), Softflowd(), Tcpdump(), LibpcapLoop())


def _one_by_one(command: str, files: list[Path]) -> list[str]:
    """A shell that gives a one-file program each file in turn; a file it refuses stops nothing."""
    return ["sh", "-c", f'for file; do {command} "$file"; done; true', "sh", *map(str, files)]


def program() -> Path:
    """The command `greffier` of this environment."""
    return Path(sys.executable).with_name("greffier")


def greffier(*arguments: str) -> str:
    """Run one of its verbs; what it printed."""
    done = subprocess.run([program(), *arguments], check=True, capture_output=True, text=True)
    return done.stdout
