"""What is kept, for how long, on which legal basis, what was destroyed, and what an order holds back."""

import datetime as dt
from typing import Any

import msgspec

from appliance.control.messages import AskBox, AskCertificate, AskRetention, Basis, Box, Line, Retention
from appliance.control.steps import Step
from appliance.control.words import Lapse
from webui.pages.noting import note
from webui.rights import Right
from webui.routing import Asked, Refusal, Reply, Route, Saved, Shown
from webui.vocabulary import BASIS_STATES, HOLD_STATES, VAULT_CONTENTS, VAULTS, word
from webui.wording import said

_SHOWN = 6
"""Certificates on the first look; all of them on a page of their own."""


class Told(msgspec.Struct, frozen=True, tag_field="kind", tag="destroyed"):
    """What a certificate says by name (FORMAT.md)."""

    vault: str
    day: dt.date
    at: dt.datetime
    key_ids: tuple[str, ...] = ()


def show(asked: Asked) -> Reply:
    """Everything about terms and law on one page."""
    retention = asked.tell(AskRetention(), Retention)
    return Shown(
        "retention.html",
        {
            **_words(asked.language),
            "retention": retention,
            "bases": [basis for basis in retention.bases if _concerns(retention, basis)],
            "other_bases": [basis for basis in retention.bases if not _concerns(retention, basis)],
            "lapsing": [vault for vault in retention.vaults if _can_lapse(retention, vault.vault)],
            "standing": standing(retention),
            "has_lapsed": any(
                basis.state == "lapsed" and _concerns(retention, basis) for basis in retention.bases
            ),
            "general": retention.general.get(asked.language) or next(iter(retention.general.values()), {}),
            "basis_level": lambda basis: _level(retention, basis),
            "lapse_of": lambda vault: retention.lapse.get(vault, Lapse.ALERT),
            "certificates": retention.certificates[:_SHOWN],
            "today": _today(asked),
        },
    )


def show_certificates(asked: Asked) -> Reply:
    """Every certificate that the box lists."""
    retention = asked.tell(AskRetention(), Retention)
    return Shown("certificates.html", {**_words(asked.language), "retention": retention})


def show_certificate(asked: Asked) -> Reply:
    """One certificate, to be printed: what it says, and the signed line that says it."""
    line = _line(asked)
    told = _told(asked, line)
    box = asked.tell(AskBox(), Box)
    note(asked, Step.PRINT_DOCUMENT, f"certificate {line.seq}")
    return Shown(
        "certificate.html",
        {**_words(asked.language), "line": line, "told": told, "box": box},
    )


def save_certificate(asked: Asked) -> Reply:
    """The signed line itself, as `greffier verify` and others check it."""
    line = _line(asked)
    return Saved(f"certificate-{line.seq}.json", "application/json", line.raw.encode())


def standing(retention: Retention) -> str:
    """well, attention or failing: how the site stands with the law, at its worst basis."""
    levels = [_level(retention, basis) for basis in retention.bases if _concerns(retention, basis)]
    if retention.clock_doubt:
        levels.append("attention")
    return next((level for level in ("failing", "attention") if level in levels), "well")


def _level(retention: Retention, basis: Basis) -> str:
    """As the overview has it: what has lapsed fails where it is recorded no more, else needs attention."""
    if basis.state == "lapsed":
        stops = any(retention.lapse.get(vault) is Lapse.STOP for vault in basis.vaults)
        return "failing" if stops else "attention"
    return "well" if basis.state in ("in-force", "unlimited") else "attention"


def _concerns(retention: Retention, basis: Basis) -> bool:
    """Whether the box keeps anything on this basis."""
    return any(vault.vault in basis.vaults for vault in retention.vaults)


def _can_lapse(retention: Retention, vault: str) -> bool:
    return any(vault in basis.vaults and (basis.must_confirm or basis.last_day) for basis in retention.bases)


def _words(language: str) -> dict[str, Any]:
    return {
        "vault_name": lambda vault: word(language, VAULTS, vault),
        "vault_contents": lambda vault: word(language, VAULT_CONTENTS, vault),
        "basis_state": lambda basis: word(language, BASIS_STATES, basis.state),
        "basis_text": lambda basis: _text(language, basis),
        "hold_state": lambda hold: word(language, HOLD_STATES, hold.state),
        "is_link": lambda source: source.startswith("https://"),
    }


def _text(language: str, basis: Basis) -> str:
    return basis.texts.get(language) or next(iter(basis.texts.values()), "")


def _line(asked: Asked) -> Line:
    seq = asked.query.get("seq", "")
    if not (seq.isascii() and seq.isdigit() and len(seq) <= 15):
        raise Refusal(said(asked.language, "There is no such certificate."), status=404)
    return asked.tell(AskCertificate(int(seq)), Line)


def _told(asked: Asked, line: Line) -> Told:
    """What the line says. Raises Refusal where it is no certificate, whatever else it may be."""
    try:
        return msgspec.json.decode(line.raw, type=Told)
    except msgspec.DecodeError:
        raise Refusal(said(asked.language, "There is no such certificate."), status=404) from None


def _today(asked: Asked) -> str:
    return dt.datetime.fromtimestamp(asked.site.clock() / 1e9, dt.UTC).date().isoformat()


ROUTES: tuple[Route, ...] = (
    Route("GET", "/retention", Right.SEE_RETENTION, show, menu="retention"),
    Route("GET", "/retention/certificates", Right.SEE_RETENTION, show_certificates, menu="retention"),
    Route("GET", "/retention/certificate", Right.SEE_RETENTION, show_certificate, menu="retention"),
    Route("GET", "/retention/certificate.json", Right.SEE_RETENTION, save_certificate, menu="retention"),
)
