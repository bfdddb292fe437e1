"""The demonstration: two phones come into a café, their connections are recorded, sealed, and read back.

    make demo            (KEEP=1 make demo keeps the folder, and leaves the page open)

Everything is done with the command `greffier`, as its user would; each command line is shown.
"""

import contextlib
import ipaddress
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyotp

from demo.centrals import Centrals
from demo.commands import ask, greffier
from demo.page import NAME, PageOf

CAPTURES = [Path(__file__).resolve().parent / "captures" / name for name in ("iphone.pcap", "android.pcap")]
NETWORKS = ["192.168.2.0/24", "fe80::/10"]
PHONES = {"192.168.2.17": "c4:61:8b:35:82:a9", "192.168.2.16": "4c:6a:f6:9f:f6:27"}
ACCESS_POINT = "02:ca:fe:00:00:01"
CUSTODIANS = ["owner.key", "lawyer.key"]
CENTRALS = ["Lyon", "Lille"]
ROWS_SHOWN = 18
UNBURNT = "box-before-the-fire"
PROTOCOLS = {1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 58: "ICMPv6"}

WHAT_HAPPENED = """What happened: two phones' connections were written down as they passed, on disk within a
second and sealed, without a word of what they said. The box that wrote them cannot read them, nor can one
custodian alone; both together can. Two centrals keep a copy that they cannot read, and gave it back
when the box was gone. After a year the day's keys are destroyed, and every copy is dead with
them."""


def tell(text: str) -> None:
    print("\n" + textwrap.fill(" ".join(text.split()), 100), flush=True)


def own_network() -> list[str] | None:
    """How to start a command in a network namespace of its own; None where this machine forbids it."""
    for way in (["unshare", "--net"], ["unshare", "--user", "--map-root-user", "--net"]):
        if shutil.which("unshare") is None or shutil.which("ip") is None:
            return None
        trial = f"ip link add name {'a' * 8} type veth peer name {'b' * 8}"
        if subprocess.run([*way, "--", *trial.split()], capture_output=True, check=False).returncode == 0:
            return way
    return None


def make_box(folder: Path) -> None:
    tell(
        "1. The owner of a café and her lawyer each make a key of their own. Together, and only together, "
        "they are the box's custodians."
    )
    recipients = []
    for name in CUSTODIANS:
        said = greffier(folder, "custodian", "new", "--out", name)
        recipients.append(next(word for word in said.split() if word.startswith("age1")))
    tell("2. The installer makes the box. It is given the two public keys, and never sees the private ones.")
    custodians = [word for recipient in recipients for word in ("--custodian", recipient)]
    networks = [word for network in NETWORKS for word in ("--client-network", network)]
    greffier(folder, "init", "--home", "box", "--site", "Demo Café", *custodians, *networks)


def record(folder: Path) -> None:
    way = own_network()
    if way:
        tell(
            "3. Two phones come in. What they once sent on a real Wi-Fi is played again on a virtual cable: "
            "the recorder listens at its other end, as at the mirror port of a switch."
        )
        played = [*way, "--", sys.executable, "-m", "demo.wire", str(folder / "box"), *map(str, CAPTURES)]
        root = Path(__file__).resolve().parents[1]
        if subprocess.run(played, cwd=root, check=False).returncode != 0:
            raise SystemExit("the demonstration ends here: the live recording failed")
        return
    tell(
        "3. Two phones come in. This account may not make a virtual cable (root may), so the recorder reads "
        "what they sent from capture files."
    )
    greffier(folder, "record", "--home", "box", *map(str, CAPTURES))


def hear_the_access_point(folder: Path) -> None:
    tell(
        "4. Which access point was it? The mirror cannot know; the access point says so in its log, which "
        "the box receives as it is written (greffier listen). Here it is read from a file. Only an access "
        "point that was declared is heard."
    )
    told = json.loads(ask(folder, "coverage", "--home", "box", "--json"))
    begun = min(period["first"] for source in told["sources"] for period in source["periods"])
    joined = "wlan0: STA {} IEEE 802.11: associated (aid {})"
    lines = [
        f"<30>1 {begun} terrace hostapd - - - {joined.format(mac, number)}\n"
        for number, mac in enumerate(PHONES.values(), 1)
    ]
    (folder / "terrace.log").write_text("".join(lines))
    of_the_ap = ["--address", "192.168.2.3", "--network", "guests", "--ap-mac", ACCESS_POINT]
    greffier(folder, "sources", "--home", "box", "declare", "terrace", *of_the_ap)
    greffier(folder, "feed", "--home", "box", "--kind", "syslog", "--source", "terrace", "terrace.log")


def forms(address: str) -> list[bytes]:
    """The ways an address may be written in a file: text, and binary of either byte order."""
    packed = ipaddress.ip_address(address).packed
    return [address.encode(), packed, packed[::-1]]


def be_the_thief(folder: Path) -> None:
    tell("5. Sealed. Anybody may check that nothing was changed or removed; nobody needs a key for that.")
    greffier(folder, "verify", "--home", "box")
    tell("6. A thief takes the box, or its manager looks around: every byte of it, searched for the phones.")
    files = [path for path in (folder / "box").rglob("*") if path.is_file()]
    content = [path.read_bytes() for path in files]
    size = sum(map(len, content))
    for phone in PHONES:
        found = sum(data.count(form) for form in forms(phone) for data in content)
        print(
            f"    {phone}, as text and in binary: {found} times in {len(files)} files, {size:,} bytes",
            flush=True,
        )
        if found:
            raise SystemExit("the demonstration ends here: an address lies open in the box")
    tell("7. The owner alone, with her own key, wants to know:")
    greffier(folder, "search", "--home", "box", "--identity", CUSTODIANS[0], refused=True)


def read_back(folder: Path) -> None:
    keys = [word for name in CUSTODIANS for word in ("--identity", name)]
    tell("8. A judge asks. Owner and lawyer come together: who held which address?")
    said = greffier(folder, "bindings", "--home", "box", *keys, "--format", "jsonl", quiet=True)
    show_bindings([json.loads(line) for line in said.splitlines()])
    tell("9. And who talked to whom?")
    said = greffier(folder, "search", "--home", "box", *keys, "--format", "jsonl", quiet=True)
    rows = [json.loads(line) for line in said.splitlines()]
    show_connections(rows)
    if not {(ip, ACCESS_POINT) for ip in PHONES} <= {(row["client_ip"], row["ap_mac"]) for row in rows}:
        raise SystemExit("the demonstration ends here: a phone, or its access point, is not read back")


def look_at_totals(folder: Path) -> None:
    tell(
        "10. And what may anybody know, without a key? Totals of what the Wi-Fi is used for, never about "
        "fewer than three devices. Today there were two phones and the router, so what only the phones did "
        "is among the others."
    )
    greffier(folder, "statistics", "--home", "box")


def replicate(folder: Path) -> None:
    tell(
        "11. The box could burn. Two centrals, at two places, are to keep a copy: here both are on this "
        "machine. Their operators start them and give the box a code each."
    )
    for name in CENTRALS:
        greffier(folder, "central", "init", "--dir", name, "--name", name, "--host", "127.0.0.1")
    with Centrals(folder, CENTRALS) as urls:
        for name, url in urls.items():
            said = ask(folder, "central", "enrol", "--dir", name, "--site", "Demo Café", "--json")
            greffier(folder, "enrol", "--home", "box", "--to", url, "--code", json.loads(said)["code"])
        tell("The box sends what they lack, encrypted as it lies there, and each signs for what it has.")
        greffier(folder, "replicate", "--home", "box", "--once")
    tell("Do both have the same?")
    greffier(folder, "central", "compare", *CENTRALS)


def look_at_the_page(page: PageOf) -> None:
    tell(
        "13. And what did the owner see of her box, day by day? (It was put aside before the fire.) A page "
        "on the café's network, on her phone, in French or English: how the box stands and what there is to "
        "do. It can reach no record. The phones are gone and the recorder was ended, so it says:"
    )
    with page:
        page.say_what_it_says()


def lose_the_box(folder: Path) -> None:
    before = connections(folder, "box")
    (folder / "box").rename(folder / UNBURNT)
    tell(
        "12. The box burns, and all that is in it. Lyon gives its home back, as sealed as it was; the two "
        "custodians read it again."
    )
    greffier(folder, "central", "restore", "--dir", "Lyon", "--site", "Demo Café", "--to", "restored")
    if connections(folder, "restored/home", shown=True) != before:
        raise SystemExit("the demonstration ends here: central did not give back what the box had")
    print(f"    the same {len(before)} connections, to the last byte", flush=True)


def leave_it_open(folder: Path, page: PageOf) -> None:
    tell(
        "The page stays open, of the box as it was before the fire. The browser warns of a certificate "
        f"that it does not know: it is this machine's own ({folder}/page/tls/ca.pem)."
    )
    with page:
        code = pyotp.TOTP(page.secret)
        print(
            f"\n    {page.url}\n    name: {NAME}\n    password: {page.password}\n"
            f"    code now: {code.now()}, then {code.at(time.time() + 30)}; "
            f"in an authenticator: {page.secret}\n    Ctrl-C ends it.",
            flush=True,
        )
        with contextlib.suppress(KeyboardInterrupt):
            page.wait()


def connections(folder: Path, home: str, shown: bool = False) -> list[dict[str, Any]]:
    keys = [word for name in CUSTODIANS for word in ("--identity", name)]
    command = ["search", "--home", home, *keys, "--format", "jsonl"]
    said = greffier(folder, *command, quiet=True) if shown else ask(folder, *command)
    return [json.loads(line) for line in said.splitlines()]


def show_bindings(rows: list[dict[str, Any]]) -> None:
    columns = ("address", "held by", "access point", "first seen (UTC)", "evidence")
    show_table(
        f"{len(rows)} bindings",
        columns,
        [
            (row["ip"] or "", row["mac"], row["ap_mac"] or "", clock(row["from"]), row["evidence"])
            for row in rows
        ],
    )


def show_connections(rows: list[dict[str, Any]]) -> None:
    largest = sorted(rows, key=lambda row: row["bytes_out"] + row["bytes_in"], reverse=True)[:ROWS_SHOWN]
    columns = ("at (UTC)", "client", "its MAC", "access point", "peer", "what", "sent", "received")
    cells = [
        (
            clock(row["first_seen"])[11:],
            row["client_ip"],
            row["client_mac"],
            row["ap_mac"] or "",
            row["peer_ip"],
            PROTOCOLS.get(row["protocol"], str(row["protocol"])) + f" {row['peer_port'] or ''}",
            f"{row['bytes_out']:,}",
            f"{row['bytes_in']:,}",
        )
        for row in largest
    ]
    show_table(f"the {len(largest)} largest of {len(rows)} connections", columns, cells)


def clock(instant: str) -> str:
    return instant[:19].replace("T", " ")


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title)
    for name in columns:
        table.add_column(name, justify="right" if name in ("sent", "received") else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="greffier-demo-"))
    try:
        make_box(folder)
        record(folder)
        hear_the_access_point(folder)
        be_the_thief(folder)
        read_back(folder)
        look_at_totals(folder)
        replicate(folder)
        lose_the_box(folder)
        page = PageOf(folder, UNBURNT)
        look_at_the_page(page)
        tell(WHAT_HAPPENED)
        if os.environ.get("KEEP"):
            leave_it_open(folder, page)
    finally:
        if os.environ.get("KEEP"):
            tell(f"Kept: {folder}")
        else:
            shutil.rmtree(folder)
            tell("Nothing is left running, and the demonstration's folder is removed (KEEP=1 keeps it).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
