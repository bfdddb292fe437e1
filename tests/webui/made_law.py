"""What made boxes keep, on which basis, and what was done to them."""

import json
from typing import Any

from appliance.control import messages as m
from appliance.control.words import Lapse
from appliance.retention.legal.shipped import france
from tests.webui.made_time import Times


def retention(times: Times, box: str, ask: Any) -> m.Retention:
    """-> Retention: three vaults, certificates, one hold, two bases."""
    empty = box == "empty"
    return m.Retention(
        vaults=tuple(
            m.VaultTerm(vault, years, 0, 0, 0, None, None, None, None)
            if empty
            else m.VaultTerm(
                vault,
                years,
                365,
                8_760,
                210_400_000,
                times.day(365),
                times.day(0),
                times.day(365),
                times.day(-1),
            )
            for vault, years in (("traffic", 1), ("source", 1), ("identity", 5))
        ),
        certificates=()
        if empty
        else tuple(
            m.Certificate(
                9_000 - number,
                times.ago(days=number, hours=5),
                "traffic",
                times.day(366 + number),
                3,
                6,
                24,
                88_000_000,
            )
            for number in range(12)
        ),
        certificate_count=0 if empty else 118,
        holds=() if empty else _holds(times),
        bases=_bases(times, lapsed=box != "good"),
        calendar_dated="2026-11-15",
        lapse={"traffic": Lapse.ALERT, "source": Lapse.ALERT, "identity": Lapse.ALERT},
        clock_doubt="the clock went back by 3600 s" if box == "failing" else None,
        general={language: dict(parts) for language, parts in france().general.items()},
    )


def certificate(times: Times, box: str, ask: m.AskCertificate) -> m.Line:
    """-> Line."""
    told = {
        "seq": ask.seq,
        "kind": "destroyed",
        "vault": "traffic",
        "day": times.day(366),
        "key_ids": ["7b91"],
    }
    raw = json.dumps({**told, "at": times.ago(days=0, hours=5), "sig": "087a"})
    return m.Line(ask.seq, raw, "Hôtel du Port")


def audit(times: Times, box: str, ask: m.AskAudit) -> m.Audit:
    """-> Audit."""
    total = 0 if box == "empty" else 412
    last = min(total, (ask.before or total + 1) - 1)
    steps = ("sign-in", "declare-source", "confirm-basis", "sign-in-refused", "place-hold", "change-box")
    lines = tuple(
        m.AuditLine(
            seq,
            times.ago(hours=(total - seq) * 5),
            m.Actor("claire.martin", "client-technical", "10.0.0.5"),
            steps[seq % len(steps)],
            "passerelle",
            {"networks": "10.20.0.0/16"} if seq % 3 == 0 else {},
            "refused" if steps[seq % len(steps)] == "sign-in-refused" else "done",
            f"{seq:064x}",
        )
        for seq in range(last, max(0, last - ask.count), -1)
    )
    return m.Audit(
        lines, total, f"{total:064x}", "line 12 does not carry a valid signature" if box == "failing" else ""
    )


def _holds(times: Times) -> tuple[m.Held, ...]:
    return (
        m.Held(
            "PV 2026/1182",
            ("traffic", "source"),
            times.day(380),
            times.day(378),
            times.day(-60),
            "holding",
            times.ago(days=20),
            3,
            0,
        ),
        m.Held(
            "PV 2025/77",
            ("traffic",),
            times.day(600),
            times.day(598),
            times.day(200),
            "ended",
            times.ago(days=420),
            0,
            3,
        ),
    )


def _bases(times: Times, lapsed: bool) -> tuple[m.Basis, ...]:
    return (
        m.Basis(
            key="traffic-injunction",
            vaults=("traffic",),
            term_years=1,
            articles=("CPCE L.34-1 III", "R.10-13 V"),
            texts={
                "fr": "Conserver un an la date, l'heure, la durée et les destinataires des communications.",
                "en": "Keep date, time, duration and recipients of communications for a year.",
            },
            sources=("Décret 2025-980 du 15 octobre 2025",),
            state="lapsed" if lapsed else "in-force",
            first_day="2025-10-21",
            last_day=times.day(32) if lapsed else times.day(-200),
            days_left=-32 if lapsed else 200,
            must_confirm=True,
            confirmed_by=None if lapsed else "claire.martin",
            confirmed_text=None if lapsed else "Décret 2026-1011",
        ),
        m.Basis(
            key="source-identifiers",
            vaults=("source",),
            term_years=1,
            articles=("CPCE L.34-1 II bis 3°", "R.10-13 IV"),
            texts={
                "fr": "Conserver un an l'adresse source et son port, et les identifiants du terminal.",
                "en": "Keep the source address with its port and the terminal's identifiers for a year.",
            },
            sources=("Décret 2021-1361 du 20 octobre 2021",),
            state="unlimited",
            first_day="2021-10-21",
            last_day=None,
            days_left=None,
            must_confirm=False,
            confirmed_by=None,
            confirmed_text=None,
        ),
    )
