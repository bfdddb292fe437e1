"""Feeds, Greffier beside its peers: `python -m bench.feeds [--rounds N]`.

Offline: captures of NetFlow v5, v9 and IPFIX (600,000 flows each) recorded by Greffier from end to end,
decoded and paired by it alone, and decoded by pmacct's nfacctd. Live, over loopback at given rates: Greffier
beside nfcapd for NetFlow, beside rsyslogd for lines. Each on one core; the sender has the other. What came of
it stands in README.md.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import exports, feeds_live
from bench.contestants import Contestant, Greffier, program
from bench.generate import FOLDER
from bench.race import race


class Feed(Greffier):
    """From capture to sealed, encrypted vault."""

    name = "greffier feed"

    def command(self, files: list[Path], scratch: Path) -> list[str]:
        home = ["--home", str(scratch / "home")]
        return [str(program()), "feed", *home, "--kind", "netflow", "--json", *map(str, files)]


class Decoding(Contestant):
    """Greffier's decoder and pairing, of datagrams that lie in memory; nothing is written."""

    name = "greffier, decoding"

    def is_there(self) -> bool:
        return True

    def command(self, files: list[Path], scratch: Path) -> list[str]:
        form = files[0].stem.removeprefix("exports-")
        return [sys.executable, "-m", "bench.feeds_decoded", form]

    def packets(self, said: str) -> int | None:
        return int(said.split()[0])


class Nfacctd(Contestant):
    """pmacct's collector; the sums of each protocol are all that it keeps."""

    name = "nfacctd"

    def is_there(self) -> bool:
        return shutil.which("nfacctd") is not None

    def command(self, files: list[Path], scratch: Path) -> list[str]:
        settings = ["daemonize: false", "plugins: print", "aggregate: proto", "print_refresh_time: 3600"]
        settings += [f"pcap_savefile: {files[0]}", "print_output: csv", f"print_output_file: {scratch}/sums"]
        (scratch / "nfacctd.conf").write_text("\n".join([*settings, ""]))
        # It sometimes waits for its plugin for ever.
        return ["timeout", "--kill-after=1", "60", "nfacctd", "-f", str(scratch / "nfacctd.conf")]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-feeds", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 100)
    there: list[Contestant] = [
        contestant for contestant in (Feed(), Decoding(), Nfacctd()) if contestant.is_there()
    ]
    for form in exports.FORMATS:
        offline(form, there, arguments.rounds, console)
    with tempfile.TemporaryDirectory() as folder:
        feeds_live.show(Path(folder), console)
    return 0


def offline(form: str, there: list[Contestant], rounds: int, console: Console) -> None:
    """One format's table; a ratio above 1: Greffier, from end to end, takes less CPU."""
    results = race(there, [exports.draw(form)], rounds, FOLDER)
    table = Table(title=f"{form}: {exports.FLOWS:,} flows, {rounds} rounds", title_justify="left")
    for heading in ("", "ratio CPU", "flows/s", "wall s", "CPU s", "peak MB"):
        table.add_column(heading, justify="left" if not heading else "right")
    for result in results:
        table.add_row(
            result.name,
            f"{result.cpu_s / results[0].cpu_s:.2f}",
            f"{exports.FLOWS / result.cpu_s:,.0f}",
            f"{result.wall_s:.2f}",
            f"{result.cpu_s:.2f}",
            f"{result.peak_mb:.0f}",
        )
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
