"""How made boxes stand: overview, live numbers, copies."""

from typing import Any

from appliance.control import messages as m
from appliance.control.words import Level, Trouble
from tests.webui.made_time import Times

GIGABYTE = 10**9


def overview(times: Times, box: str, ask: Any) -> m.Overview:
    """-> Overview."""
    if box == "empty":
        return _first_minutes(times)
    found = findings(times) if box in ("failing", "hostile") else ()
    return m.Overview(
        set_up=True,
        site="Hôtel du Port",
        level=max((f.level for f in found), key=list(Level).index, default=Level.WELL),
        findings=found,
        is_recording=box != "failing",
        sources=(
            _source("interface:eth1", "interface", times.ago(seconds=2), live=box != "failing", link="up"),
            _source("feed:passerelle", "feed", times.ago(minutes=1)),
            _source("feed:bornes", "feed", times.ago(hours=7), silent=box != "good"),
        ),
        last_record=times.ago(seconds=2) if box != "failing" else times.ago(minutes=41),
        users_now=37 if box != "failing" else None,
        bits_per_s=18_400_000.0 if box != "failing" else None,
        days_kept=365,
        oldest_day=times.day(365),
        newest_day=times.day(0),
        next_day=times.day(365),
        next_on=times.day(-1),
        disk=m.Disk(
            480 * GIGABYTE, (301 if box != "failing" else 9) * GIGABYTE, 910 if box != "failing" else 6
        ),
        centrals=centrals(times, box),
        safe=(3, 41, 17_222) if box != "failing" else (212, 40, 17_013),
    )


def live(times: Times, box: str, ask: Any) -> m.Live:
    """-> Live."""
    now = overview(times, box, ask)
    return m.Live(
        at=times.ago(),
        level=now.level,
        findings=len(now.findings),
        is_recording=now.is_recording,
        last_record=now.last_record,
        users_now=now.users_now,
        bits_per_s=now.bits_per_s,
        packets_per_s=2_310.0 if now.bits_per_s else None,
        last_by_source={source.name: source.last for source in now.sources},
        left_objects=sum(central.left_objects for central in now.centrals),
    )


def replication(times: Times, box: str, ask: Any) -> m.Replication:
    """-> Replication."""
    now = overview(times, box, ask)
    return m.Replication(now.centrals, now.safe)


def findings(times: Times) -> tuple[m.Finding, ...]:
    """One of each kind of trouble would be too much for a page: the gravest, and some that wait."""
    said = "no process holds the lock of interface eth1; see 'systemctl status greffier-capture@eth1'"
    return (
        m.Finding(Trouble.NOT_RECORDING, Level.FAILING, "eth1", times.ago(minutes=41), said=said),
        m.Finding(Trouble.DISK_FILLS, Level.ATTENTION, count=6),
        m.Finding(Trouble.ACCESS_POINT_SILENT, Level.ATTENTION, "borne-terrasse", times.ago(hours=7)),
        m.Finding(Trouble.CENTRAL_NEGLECTED, Level.ATTENTION, "Central Sud", times.ago(hours=5), count=212),
        m.Finding(Trouble.BASIS_LAPSED, Level.ATTENTION, "traffic-injunction", times.day(32)),
    )


def centrals(times: Times, box: str) -> tuple[m.CentralNow, ...]:
    """Two, of which one is behind in a box in trouble."""
    return (
        _central("Central Nord", times.ago(minutes=1), 3, None),
        _central("Central Sud", times.ago(minutes=2), 0, None)
        if box != "failing"
        else _central("Central Sud", times.ago(hours=5), 212, times.ago(hours=5)),
    )


def _central(name: str, contact: str, left: int, oldest: str | None) -> m.CentralNow:
    late = (m.Finding(Trouble.CENTRAL_NEGLECTED, Level.ATTENTION, name, contact, left),) if left > 100 else ()
    return m.CentralNow(
        name=name,
        url=f"https://{name.replace(' ', '-').lower()}.example:8443",
        fingerprint="SHA256:" + name.encode().hex()[:16] * 2,
        sending=not late,
        left_objects=left,
        left_bytes=left * 1_200_000,
        oldest=oldest,
        receipts=34_500,
        contact=contact,
        bytes_per_s=None if late else 240_000.0,
        findings=late,
    )


def _source(name: str, kind: str, last: str | None, **other: Any) -> m.SourceNow:
    values: dict[str, Any] = {
        "label": name.partition(":")[2],
        "network": "" if kind == "interface" else "clients",
        "live": True,
        "packets": 48_210_332 if kind == "interface" else 90_233,
        "records": 1_204_991 if kind == "interface" else 20_114,
        "lost": 0,
        "silent": False,
        "usual_pause_s": 1.0 if kind == "interface" else 60.0,
        "speed_mbps": 1000 if kind == "interface" else None,
    }
    return m.SourceNow(name=name, kind=kind, last=last, **{**values, **other})


def _first_minutes(times: Times) -> m.Overview:
    return m.Overview(
        set_up=True,
        site="Hôtel du Port",
        level=Level.ATTENTION,
        findings=(
            m.Finding(Trouble.NO_SOURCE, Level.ATTENTION),
            m.Finding(Trouble.NO_CENTRAL, Level.ATTENTION),
        ),
        is_recording=False,
        sources=(),
        last_record=None,
        users_now=None,
        bits_per_s=None,
        days_kept=0,
        oldest_day=None,
        newest_day=None,
        next_day=None,
        next_on=None,
        disk=m.Disk(480 * GIGABYTE, 471 * GIGABYTE, None),
        centrals=(),
        safe=(0, 0, 0),
    )
