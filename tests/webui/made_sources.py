"""Who speaks to made boxes, and what of it was heard."""

from typing import Any

from appliance.control import messages as m
from tests.webui.made_time import Times


def sources(times: Times, box: str, ask: Any) -> m.Sources:
    """-> Sources: a gateway and an access point that are declared, two strangers that wait."""
    if box == "empty":
        return m.Sources(True, (), (), (), "SHA256:ab" * 8, _PORTS, ("192.0.2.10",))
    return m.Sources(
        listening=box != "failing",
        declared=(_gateway(times), _access_point(times, silent=box != "good")),
        strangers=(
            m.Stranger(
                "10.0.0.77",
                "b4:fb:e4:10:20:30",
                "syslog",
                "UniFi",
                143,
                143,
                times.ago(minutes=22),
                times.ago(seconds=9),
            ),
            m.Stranger(
                "10.0.0.81", "", "netflow", "NetFlow v9", 12, 12, times.ago(minutes=3), times.ago(minutes=1)
            ),
        )
        if box != "good"
        else (),
        interfaces=(
            m.SourceNow(
                "interface:eth1",
                "interface",
                "eth1",
                "",
                box != "failing",
                times.ago(seconds=2),
                48_210_332,
                1_204_991,
                0 if box == "good" else 5_120,
                False,
                1.0,
                "up",
                1000,
            ),
        ),
        tls_fingerprint="SHA256:ab" * 8,
        ports=_PORTS,
        addresses=("192.0.2.10",),
    )


_PORTS = {"netflow": 2055, "sflow": 6343, "syslog_udp": 514, "syslog_tls": 6514, "radius": 1813}


def _gateway(times: Times) -> m.Declared:
    return m.Declared(
        label="passerelle",
        network="clients",
        addresses=("10.0.0.1",),
        mac="",
        kinds=("netflow", "syslog"),
        time_zone="Europe/Paris",
        grammar="mikrotik",
        has_secret=False,
        certificate="",
        messages=90_233,
        by_kind={"netflow": 88_121, "syslog": 2_112},
        last=times.ago(minutes=1),
        silent=False,
        usual_pause_s=60.0,
        lost={"sequence": 14},
        points=(),
    )


def _access_point(times: Times, silent: bool) -> m.Declared:
    last = times.ago(hours=7) if silent else times.ago(seconds=40)
    points = (
        m.Point("Terrasse", "00:1b:2f:aa:00:01", True, last, silent, 120.0),
        m.Point("Hall", "00:1b:2f:aa:00:02", True, times.ago(minutes=2), False, 120.0),
        m.Point("", "00:1b:2f:aa:00:09", False, times.ago(days=2), False, None),
    )
    return m.Declared(
        label="bornes",
        network="clients",
        addresses=("10.0.0.20", "10.0.0.21"),
        mac="00:1b:2f:aa:00:01",
        kinds=("radius", "syslog"),
        time_zone="Europe/Paris",
        grammar="hostapd",
        has_secret=True,
        certificate="",
        messages=20_114,
        by_kind={"radius": 20_000, "syslog": 114},
        last=last,
        silent=silent,
        usual_pause_s=95.0,
        lost={},
        points=points,
    )


def coverage(times: Times, box: str, ask: Any) -> m.CoverageOf:
    """-> CoverageOf: six days of an interface with a night missed, and a feed with losses."""
    if box == "empty":
        return m.CoverageOf(())
    seen = m.Seen(times.ago(days=6), times.ago(days=2, hours=9), 30_000_000, 800_000, {}, {}, {"not_ip": 120})
    torn = m.Seen(
        times.ago(days=2, hours=2), times.ago(seconds=2), 18_210_332, 404_991, {"kernel": 5_120}, {}, {}
    )
    fed = m.Seen(
        times.ago(days=6), times.ago(minutes=1), 90_233, 20_114, {"sequence": 14}, {}, {"content": 3}
    )
    return m.CoverageOf(
        (
            m.SourceCoverage(
                "interface:eth1",
                (seen, torn),
                (m.Gap(times.ago(days=2, hours=9), times.ago(days=2, hours=2)),),
            ),
            m.SourceCoverage("feed:passerelle", (fed,), ()),
        )
    )
