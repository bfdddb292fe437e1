"""`greffier listen` on real sockets: what is sent arrives in the vaults, whoever else is shouting."""

import contextlib
import hashlib
import os
import random
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.services.feeds import noticeboard
from tests.ports import wait_until_taken
from tests.system.boxes import GREFFIER, Box
from tests.system.listening import Listener, declare, feed_box, listening, set_listening
from tests.system.mounts import in_own_mounts, mount
from tests.system.networks import may_make
from tests.system.senders import SECRET, accounting
from tests.system.warm import wait_for

CLIENTS = "10.0.0.0/8"
DHCP = b"<30>Nov 22 03:10:01 gw dnsmasq-dhcp[123]: DHCPACK(br-lan) %s %s phone"
GATEWAY = '[[source]]\nlabel = "gateway"\naddresses = ["127.0.0.1"]\n'
OTHER = '[[source]]\nlabel = "other"\naddresses = ["127.0.0.2"]\n'


def lease(number: int) -> bytes:
    """A line of dnsmasq: a client gets an address; both follow from the number."""
    return DHCP % (address(number).encode(), mac(number).encode())


def address(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def mac(number: int) -> str:
    return f"02:00:00:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"


def netflow_v5(number: int, records: int) -> bytes:
    """A datagram of NetFlow v5 (Cisco, RFC 3954 names its ancestor): header of 24 octets, records of 48."""
    now, up_ms = int(time.time()), 3_600_000
    flows = b"".join(
        struct.pack(
            "!4s4s4sHHIIIIHHBBBBHHBBH",
            bytes([10, *(number * records + record).to_bytes(3, "big")]), bytes([192, 0, 2, 1]), bytes(4),
            1, 2, 10, 1000, up_ms - 2000, up_ms - 1000, 1024 + record, 443, 0, 0x1B, 6, 0, 0, 0, 24, 24, 0,
        )
        for record in range(records)
    )  # fmt: skip
    header = struct.pack("!HHIIIIBBH", 5, records, up_ms, now, 0, number * records & 0xFFFF_FFFF, 0, 0, 0)
    return header + flows


def ipfix(number: int) -> bytes:
    """A message of IPFIX (RFC 7011) with a template and one flow of it."""
    fields = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (1, 4), (2, 4), (152, 8), (153, 8))
    template = struct.pack("!HH", 256, len(fields)) + b"".join(struct.pack("!HH", *each) for each in fields)
    now_ms = time.time_ns() // 10**6
    client, peer = socket.inet_aton(address(number)), bytes([192, 0, 2, 1])
    flow = struct.pack("!4s4sHHBIIQQ", client, peer, 1024, 443, 6, 1000, 10, now_ms - 2000, now_ms - 1000)
    sets = struct.pack("!HH", 2, 4 + len(template)) + template + struct.pack("!HH", 256, 4 + len(flow)) + flow
    return struct.pack("!HHIII", 10, 16 + len(sets), now_ms // 1000, number, 7) + sets


@contextlib.contextmanager
def sender(source: str = "127.0.0.1") -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind((source, 0))
        yield made


def connect(port: int, source: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0))


def tls(made: socket.socket, identity: Path | None = None) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if identity is not None:
        context.load_cert_chain(identity / "device.pem", identity / "device.key")
    return context.wrap_socket(made)


def identity(folder: Path, name: str) -> tuple[Path, str]:
    """A certificate that a device has signed itself, and its fingerprint as openssl says it."""
    (folder / name).mkdir()
    made = folder / name
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-days", "2"]
    keys = ["-keyout", str(made / "device.key"), "-out", str(made / "device.pem")]
    subprocess.run(["openssl", *request, *keys], check=True, capture_output=True, timeout=30)
    said = subprocess.run(
        ["openssl", "x509", "-in", str(made / "device.pem"), "-noout", "-fingerprint", "-sha256"],
        check=True, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    return made, said.stdout.strip().partition("=")[2].replace(":", "").lower()


def holders(box: Box) -> set[tuple[str, str]]:
    """(address, MAC) of every binding that the custodians read."""
    said = box.run("bindings", *box.identities, "--format", "jsonl")
    return set(re.findall(r'"ip": ?"([^"]+)", ?"mac": ?"([^"]+)"', said))


def expected(*numbers: int) -> set[tuple[str, str]]:
    return {(address(number), mac(number)) for number in numbers}


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def test_every_way_in_leads_into_the_vaults(tmp_path: Path) -> None:
    box, ports = feed_box(tmp_path, [CLIENTS], GATEWAY)
    with listening(box, ports) as listener:
        with sender() as way:
            way.sendto(lease(1), ("127.0.0.1", ports["syslog_udp"]))
            way.sendto(netflow_v5(0, 7), ("127.0.0.1", ports["netflow"]))
        with connect(ports["syslog_tcp"]) as way:  # RFC 6587: by line feed, by count, torn anywhere, unended
            for piece in (lease(2) + b"\n" + b"%d " % len(lease(3)), lease(3), lease(4)[:20], lease(4)[20:]):
                way.sendall(piece)
                time.sleep(0.05)
        with tls(connect(ports["syslog_tls"])) as secure:
            secure.sendall(lease(5) + b"\n" + lease(6) + b"\n")
        with connect(ports["ipfix_tcp"]) as way:
            way.sendall(ipfix(7)[:50])
            time.sleep(0.05)
            way.sendall(ipfix(7)[50:] + ipfix(8))
        wait_for(lambda: listener.heard("feed:gateway") == 9, 10, "nine messages")
        report = listener.end()
    assert (report["packets"], report["records"]) == (9, 9)
    assert holders(box) == expected(1, 2, 3, 4, 5, 6)
    assert {row["client_ip"] for row in box.search()} == {address(number) for number in range(9)}
    box.run("verify")


def test_openssl_and_rsyslog_speak_to_it(tmp_path: Path) -> None:
    box, ports = feed_box(tmp_path, [CLIENTS], GATEWAY)
    with listening(box, ports) as listener:
        for number, version in ((1, "-tls1_2"), (2, "-tls1_3")):
            told = subprocess.run(
                ["openssl", "s_client", version, "-connect", f"127.0.0.1:{ports['syslog_tls']}"],
                input=lease(number) + b"\n", capture_output=True, timeout=20,
            )  # fmt: skip
            shown = re.search(
                rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", told.stdout, re.DOTALL
            )
            assert shown is not None
        old = subprocess.run(
            ["openssl", "s_client", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-connect",
             f"127.0.0.1:{ports['syslog_tls']}"],
            input=b"", capture_output=True, timeout=20,
        )  # fmt: skip
        assert old.returncode != 0
        with relay(tmp_path, ports["syslog_tls"], [lease(3), lease(4)]):
            wait_for(lambda: listener.heard("feed:gateway") >= 4, 20, "what openssl and rsyslog sent")
        kept = box.home / "listen" / "certificate.pem"
        der = ssl.PEM_cert_to_DER_cert(kept.read_text())
        assert der == ssl.PEM_cert_to_DER_cert(shown[0].decode())
        assert oct((box.home / "listen" / "key.pem").stat().st_mode & 0o777) == "0o600"
        told_sources = box.run("sources", "list")
        assert hashlib.sha256(der).hexdigest() in told_sources.replace(":", "").lower()
        listener.end()
    assert expected(1, 2, 3, 4) <= holders(box)


@contextlib.contextmanager
def relay(folder: Path, port: int, lines: list[bytes]) -> Iterator[None]:
    """Let rsyslog read lines from a file and send them on over TLS, as gateways that run it do."""
    (folder / "lines").write_bytes(b"".join(line + b"\n" for line in lines))
    (folder / "rsyslog.conf").write_text(f"""
global(workDirectory="{folder}" defaultNetstreamDriverCAFile="/etc/ssl/certs/ca-certificates.crt")
module(load="imfile")
template(name="as_it_is" type="string" string="%msg%\\n")
input(type="imfile" file="{folder}/lines" tag="x" freshStartTail="off" ruleset="on")
ruleset(name="on") {{ action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" template="as_it_is"
  StreamDriver="gtls" StreamDriverMode="1" StreamDriverAuthMode="anon") }}
""")
    running = subprocess.Popen(
        ["rsyslogd", "-n", "-f", str(folder / "rsyslog.conf"), "-i", str(folder / "rsyslog.pid")],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        running.terminate()
        running.wait(timeout=20)


def test_a_port_that_is_taken_is_named_and_leaves_no_trace(tmp_path: Path) -> None:
    box, ports = feed_box(tmp_path, [CLIENTS], GATEWAY)
    before = box.bytes_kept()
    for name, kind in (("syslog_udp", socket.SOCK_DGRAM), ("syslog_tls", socket.SOCK_STREAM)):
        with socket.socket(socket.AF_INET, kind) as taken:
            taken.bind(("127.0.0.1", ports[name]))
            if kind == socket.SOCK_STREAM:
                taken.listen()
            done = subprocess.run(
                [GREFFIER, "listen", "--home", str(box.home)],
                capture_output=True, text=True, timeout=30,
            )  # fmt: skip
            assert done.returncode == 9
            assert f"port {ports[name]} of 127.0.0.1 is taken by another program" in done.stderr
            assert done.stderr.count("\n") == 1
    new = {path.relative_to(box.home).parts[0] for path in set(box.bytes_kept()) - set(before)}
    assert new <= {"listen"}  # the certificate, which is made before the ports that show it are bound
    set_listening(box, address='"192.0.2.77"')
    assert "is no address of this box" in subprocess.run(
        [GREFFIER, "listen", "--home", str(box.home)],
        capture_output=True, text=True, timeout=30,
    ).stderr  # fmt: skip


def test_nobody_who_stalls_holds_up_the_others(tmp_path: Path) -> None:
    """A thousand connections that say nothing, or a letter; handshakes that are begun and left."""
    box, ports = feed_box(tmp_path, [CLIENTS], GATEWAY)
    set_listening(box, connections="700", connections_each="64")
    with listening(box, ports) as listener, contextlib.ExitStack() as held:
        before = resident_mib(listener.process.pid)
        for number in range(1000):
            source = f"127.0.9.{number // 60 + 1}"
            port = ports["syslog_tls" if number % 2 else "syslog_tcp"]
            with contextlib.suppress(OSError):  # the last are turned away
                stalled = held.enter_context(connect(port, source))
                stalled.send(b"\x16\x03\x01\x02\x00\x01" if number % 2 else b"<30>No")
        began = time.monotonic()
        for number in range(10):
            with tls(connect(ports["syslog_tls"])) as secure:
                secure.sendall(lease(number) + b"\n")
        wait_for(lambda: listener.heard("feed:gateway") == 10, 10, "ten messages beside a thousand stalled")
        assert time.monotonic() - began < 5
        assert resident_mib(listener.process.pid) - before < 100
        report = listener.end()
    assert report["noted"]["connections_refused"] >= 290
    assert holders(box) == expected(*range(10))


def test_what_the_kernel_holds_when_it_is_asked_to_end_is_not_lost(tmp_path: Path) -> None:
    box, ports = feed_box(tmp_path, [CLIENTS], GATEWAY)
    with listening(box, ports) as listener, sender() as way, connect(ports["syslog_tcp"]) as stream:
        for number in range(4000):
            way.sendto(lease(number), ("127.0.0.1", ports["syslog_udp"]))
        stream.settimeout(20)
        stream.sendall(b"".join(lease(number) + b"\n" for number in range(4000, 30_000)))
        stream.sendall(lease(1 << 22)[:-10])
        report = listener.end()
    assert (report["packets"], report["lost"]) == (30_000, 0)
    assert holders(box) == expected(*range(30_000))
    assert report["refused"] == {"cut_short": 1}
    assert box.json("status")["faults"] == []


def test_twenty_thousand_datagrams_in_a_second_lose_none(tmp_path: Path) -> None:
    box, ports = feed_box(tmp_path, [CLIENTS], GATEWAY)
    datagrams = [netflow_v5(number, 3) for number in range(20_000)]
    with listening(box, ports) as listener:
        with sender() as way:
            send_paced(way, datagrams, ports["netflow"], 20_000)
        wait_for(lambda: listener.heard("feed:gateway") == 20_000, 30, "all datagrams")
        report = listener.end()
    assert (report["packets"], report["records"], report["lost"]) == (20_000, 60_000, 0)


def send_paced(way: socket.socket, datagrams: list[bytes], port: int, per_second: int) -> None:
    began = time.monotonic()
    for number, datagram in enumerate(datagrams):
        way.sendto(datagram, ("127.0.0.1", port))
        if number % 50 == 0:
            ahead = number / per_second - (time.monotonic() - began)
            if ahead > 0:
                time.sleep(ahead)


def test_who_floods_loses_his_own(tmp_path: Path) -> None:
    """One declared source sends far more than can be decoded; the other keeps all of its own."""
    box, ports = feed_box(tmp_path, [CLIENTS], GATEWAY + OTHER)
    set_listening(box, waiting_mib="8")
    flood = (
        "import socket, sys, time\n"
        "way = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); until = time.monotonic() + 2\n"
        "line = b'<30>Nov 22 03:10:01 gw dnsmasq-dhcp[1]: DHCPACK(br-lan) 10.9.9.9 02:00:00:00:00:09 x'\n"
        "while time.monotonic() < until: way.sendto(line, ('127.0.0.1', int(sys.argv[1])))\n"
    )
    with listening(box, ports) as listener:
        with sender("127.0.0.2") as way:
            flooding = subprocess.Popen([sys.executable, "-c", flood, str(ports["syslog_udp"])])
            send_paced(way, [lease(number) for number in range(3000)], ports["syslog_udp"], 1500)
            flooding.wait(timeout=30)
        wait_for(lambda: listener.heard("feed:other") == 3000, 30, "all of the quiet source")
        report = listener.end()
    coverage = {source["name"]: source for source in box.recorder()["sources"]}
    assert not any(coverage["feed:other"]["lost"].values())
    assert "socket" not in report["lost_by_place"]
    assert expected(*range(3000)) <= holders(box)


def test_a_hundred_forged_senders_cost_no_memory_and_nobody_else_anything(tmp_path: Path) -> None:
    box, ports = feed_box(tmp_path, [CLIENTS], GATEWAY)
    with listening(box, ports) as listener, contextlib.ExitStack() as held:
        before = resident_mib(listener.process.pid)
        forged = [held.enter_context(sender(f"127.0.7.{number + 1}")) for number in range(100)]
        own = held.enter_context(sender())
        junk = os.urandom(1400)
        for number in range(600):
            own.sendto(lease(number), ("127.0.0.1", ports["syslog_udp"]))
            for one in forged:
                one.sendto(junk, ("127.0.0.1", ports["netflow" if number % 2 else "syslog_udp"]))
        wait_for(lambda: listener.heard("feed:gateway") == 600, 30, "all of the declared source")
        wait_for(lambda: kept_apart(box, "messages") == 60_000, 30, "all of the others")
        assert resident_mib(listener.process.pid) - before < 64 + 96, "64 MiB of quarantine, and what comes"
        report = listener.end()
    assert report["lost_by_place"] == {"quarantined": 60_000}
    assert holders(box) == expected(*range(600))


def test_declared_late_is_recorded_as_it_came(tmp_path: Path) -> None:
    box, ports = feed_box(tmp_path, [CLIENTS], GATEWAY)
    with listening(box, ports) as listener:
        with sender("127.0.0.2") as way:
            for number in range(5):
                way.sendto(lease(number), ("127.0.0.1", ports["syslog_udp"]))
            wait_for(lambda: kept_apart(box) == 5, 10, "all in quarantine")
            assert b"10.0.0.3" not in b"".join(box.bytes_kept().values())
            declare(box, GATEWAY + OTHER)
            wait_for(lambda: listener.heard("feed:other") == 5, 10, "what was in quarantine")
            declare(box, GATEWAY + OTHER.replace("other", "third").replace(".2", ".3"))
            wait_for(lambda: listener.source("feed:third"), 10, "the declarations to be read again")
            way.sendto(lease(99), ("127.0.0.1", ports["syslog_udp"]))
            wait_for(lambda: kept_apart(box) == 1, 10, "it to be a stranger again")
        report = listener.end()
    assert holders(box) == expected(*range(5))
    assert report["lost_by_place"] == {"quarantined": 1}


def test_a_device_is_known_by_its_certificate(tmp_path: Path) -> None:
    known, fingerprint = identity(tmp_path, "known")
    stranger, _ = identity(tmp_path, "stranger")
    by_certificate = f'[[source]]\nlabel = "roaming"\ncertificate = "{fingerprint}"\n'
    at_home = f'[[source]]\nlabel = "strict"\naddresses = ["127.0.0.4"]\ncertificate = "{fingerprint}"\n'
    box, ports = feed_box(tmp_path, [CLIENTS], by_certificate)
    with listening(box, ports) as listener:
        for number, shown in ((1, known), (2, stranger), (3, None)):
            with tls(connect(ports["syslog_tls"], "127.0.0.3"), shown) as secure:
                secure.sendall(lease(number) + b"\n")
        with tls(connect(ports["syslog_tls"], "127.0.0.4"), stranger) as secure:
            secure.sendall(lease(7) + b"\n")
        wait_for(lambda: listener.heard("feed:roaming") == 1, 10, "the device that is known")
        wait_for(lambda: kept_apart(box) == 3, 10, "the others in quarantine")
        declare(box, at_home)
        wait_for(lambda: listener.source("feed:strict"), 5, "the other declaration")
        for number, shown in ((4, known), (5, stranger), (6, None)):
            with tls(connect(ports["syslog_tls"], "127.0.0.4"), shown) as secure:
                secure.sendall(lease(number) + b"\n")
        with sender("127.0.0.4") as way, connect(ports["syslog_tcp"], "127.0.0.4") as stream:
            way.sendto(lease(8), ("127.0.0.1", ports["syslog_udp"]))
            stream.sendall(lease(9) + b"\n")
            way.sendto(netflow_v5(0, 1), ("127.0.0.1", ports["netflow"]))
        wait_for(lambda: listener.heard("feed:strict") == 2, 10, "the right certificate, and a flow")
        report = listener.end()
    assert holders(box) == expected(1, 4)
    assert [row["client_ip"] for row in box.search()] == [address(0)]
    assert report["refused"] == {"bad_certificate": 4}
    assert report["lost_by_place"] == {"quarantined": 3}


def kept_apart(box: Box, what: str = "kept") -> int:
    """Messages in quarantine, as the one who listens shows it; or "messages": those given up for room too."""
    shown = noticeboard.read(box.home / "state") or {}
    return sum(one[what] for one in shown.get("quarantined", ()))


def test_killed_under_load_it_has_all_but_the_last_seconds(tmp_path: Path) -> None:
    box, ports = feed_box(tmp_path, [CLIENTS], GATEWAY)
    with listening(box, ports) as listener, sender() as way:
        send_paced(way, [lease(number) for number in range(3000)], ports["syslog_udp"], 3000)
        wait_until_taken(ports["syslog_udp"])
        time.sleep(2.0)  # what is older is promised to be on the disk
        for number in range(3000, 3200):
            way.sendto(lease(number), ("127.0.0.1", ports["syslog_udp"]))
        listener.process.send_signal(signal.SIGKILL)
        listener.process.wait(timeout=20)
    with listening(box, ports) as again:
        again.end()
    kept = holders(box)
    assert expected(*range(3000)) <= kept <= expected(*range(3200))
    box.run("verify")
    box.run("coverage")


@pytest.mark.skipif(not may_make(), reason="needs root to mount a disk")
def test_a_full_disk_is_said_and_nobody_is_answered(tmp_path: Path) -> None:
    """What came meanwhile waits in memory; an accounting request has its answer when the disk accepts."""

    def body() -> None:
        leased = random.Random(7).sample(range(2, 1 << 24), 5000)
        disk = tmp_path / "disk"
        disk.mkdir()
        mount("-t", "tmpfs", "-o", "size=12m", "greffier-test", str(disk))
        box, ports = feed_box(disk, [CLIENTS], GATEWAY + f'secret = "{SECRET}"\n')
        with listening(box, ports) as listener, sender() as way, sender() as nas:
            way.sendto(lease(1), ("127.0.0.1", ports["syslog_udp"]))
            wait_for(lambda: listener.heard("feed:gateway") == 1, 10, "a first line")
            assert asked(nas, ports["radius"], 1, 5.0)
            fill(disk)
            for number in leased:  # what is packed well may still fit into the last page of a file
                way.sendto(lease(number), ("127.0.0.1", ports["syslog_udp"]))
            wait_for(lambda: listener.state()["alarms"] and not is_clock(listener), 10, "an alarm")
            assert not asked(nas, ports["radius"], 2, 1.5)
            faults = box.json("status")["faults"]
            assert any("disk" in fault for fault in faults), faults
            (disk / "ballast").unlink()
            wait_for(lambda: answered(nas), 15, "the answer that was owed")
            wait_for(lambda: not listener.state()["alarms"] or is_clock(listener), 15, "the alarm to go")
            report = listener.end()
        assert report["noted"]["storage_refused"] >= 1
        assert expected(1, *leased) <= holders(box)
        box.run("verify")

    in_own_mounts(body)


def is_clock(listener: Listener) -> bool:
    """How good this machine's own clock is, is left aside."""
    return {alarm["kind"] for alarm in listener.state()["alarms"]} == {"clock_unsynchronised"}


def fill(disk: Path) -> None:
    """Leave not one byte, as something else on the box might."""
    with (disk / "ballast").open("wb", buffering=0) as ballast:
        for size in (1 << 16, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while ballast.write(bytes(size)):
                    pass


def asked(nas: socket.socket, port: int, number: int, patience_s: float) -> bool:
    """Send an Accounting-Request; whether it is answered in time."""
    nas.sendto(accounting(1, number, 1, number), ("127.0.0.1", port))
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        if answered(nas):
            return True
    return False


def answered(nas: socket.socket) -> bool:
    nas.settimeout(0.05)
    with contextlib.suppress(TimeoutError):
        return nas.recv(4096)[0] == 5  # Accounting-Response (RFC 2866 section 4.2)
    return False


def test_an_answer_comes_soon(tmp_path: Path) -> None:
    """Whoever waits is not kept for the second that others' rows may take to the journal."""
    box, ports = feed_box(tmp_path, [CLIENTS], GATEWAY + f'secret = "{SECRET}"\n')
    took = []
    with listening(box, ports) as listener, sender() as nas:
        for number in range(20):
            began = time.monotonic()
            assert asked(nas, ports["radius"], number, 5.0)
            took.append(time.monotonic() - began)
            time.sleep(0.03)
        listener.end()
    assert sorted(took)[10] < 0.15


def test_every_address_of_the_box_is_listened_to(tmp_path: Path) -> None:
    """As it is delivered: IPv6 and IPv4 on one socket, and whoever comes by IPv4 is known by that."""
    box, ports = feed_box(tmp_path, [CLIENTS], GATEWAY.replace('.1"]', '.1", "::1"]'))
    set_listening(box, address='"::"')
    with listening(box, ports) as listener:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as way, sender() as other:
            way.sendto(lease(1), ("::1", ports["syslog_udp"]))
            other.sendto(lease(2), ("127.0.0.1", ports["syslog_udp"]))
        with connect(ports["syslog_tcp"]) as stream:
            stream.sendall(lease(3) + b"\n")
        with socket.create_connection(("::1", ports["syslog_tcp"]), timeout=10) as stream:
            stream.sendall(lease(4) + b"\n")
        wait_for(lambda: listener.heard("feed:gateway") == 4, 10, "four messages")
        listener.end()
    assert holders(box) == expected(1, 2, 3, 4)
