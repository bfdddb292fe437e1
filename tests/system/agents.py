"""SNMP agents of a test's own: net-snmp's snmpd, with tables of a bridge that it is told."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from appliance.feeds.snmp.objects import COLUMNS

SNMPD = "/usr/sbin/snmpd"
V3_USER, V3_AUTHENTICATION, V3_PRIVACY = "clerk", "a secret of eight", "another secret"

_COLUMNS = [f".{managed.text}" for managed in COLUMNS]

# Answers what snmpd passes on (snmpd.conf(5), pass_persist): OIDs and values stand in a file, one a line.
_PASSED = """
import sys
table = {}
for line in open(sys.argv[1]):
    oid, kind, value = line.rstrip("\\n").split(" ", 2)
    table[tuple(map(int, oid.strip(".").split(".")))] = (kind, value)
order = sorted(table)
while True:
    command = sys.stdin.readline()
    if not command:
        break
    if command.strip() == "PING":
        print("PONG", flush=True)
        continue
    asked = tuple(map(int, sys.stdin.readline().strip().strip(".").split(".")))
    found = asked if command.strip() == "get" else next((oid for oid in order if oid > asked), None)
    if found not in table:
        print("NONE", flush=True)
    else:
        print("." + ".".join(map(str, found)), *table[found], sep="\\n", flush=True)
"""


@contextlib.contextmanager
def agent(folder: Path, address: str, passed: Mapping[str, tuple[str, str]]) -> Iterator[None]:
    """An agent at an address, on port 161, in the network the calling thread is in."""
    folder.mkdir()
    (folder / "passed.py").write_text(_PASSED)
    (folder / "table").write_text("".join(f"{oid} {kind} {value}\n" for oid, (kind, value) in passed.items()))
    roots = {".".join(oid.split(".")[:length]) for oid in passed if (length := _column(oid))}
    host = f"udp6:[{address}]:161" if ":" in address else f"udp:{address}:161"
    (folder / "snmpd.conf").write_text(
        f"agentaddress {host}\n"
        "rocommunity lan\nrocommunity6 lan\n"
        f'createUser {V3_USER} SHA-256 "{V3_AUTHENTICATION}" AES "{V3_PRIVACY}"\n'
        f"rouser {V3_USER} priv\n"
        "sysName stairs\nsysLocation first floor\n"
        + "".join(
            f"pass_persist -p 1 {root} {sys.executable} {folder / 'passed.py'} {folder / 'table'}\n"
            for root in sorted(roots)
        )
    )
    command = [SNMPD, "-f", "-Lf", str(folder / "log"), "-C", "-c", str(folder / "snmpd.conf")]
    command += ["-p", str(folder / "pid"), f"--persistentDir={folder}"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            if walked(address, "1.3.6.1.2.1.1.5"):
                break
            assert running.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        yield
    finally:
        running.terminate()
        running.wait(10)


def _column(oid: str) -> int:
    """How many words of an OID name its column: what is passed on hides what snmpd itself would answer."""
    return next(len(name.split(".")) for name in _COLUMNS if oid.startswith(name + "."))


def walked(address: str, oid: str, *credentials: str) -> dict[str, str | bytes]:
    """What net-snmp's own command reads of a part of the tree: by numeric OID, strings as bytes."""
    host = f"udp6:[{address}]" if ":" in address else address
    command = ["snmpbulkwalk", *(credentials or ("-v2c", "-c", "lan")), "-t", "1", "-r", "0", "-OnUexQ"]
    done = subprocess.run([*command, host, oid], capture_output=True, text=True, timeout=30)
    found: dict[str, str | bytes] = {}
    for line in done.stdout.replace(" \n", " ").splitlines():
        name, _, value = line.partition(" = ")
        if "No Such" not in value:
            quoted = value.startswith('"')
            found[name.lstrip(".")] = bytes.fromhex(value.strip('" ')) if quoted else value.strip()
    return found
