"""A line of the audit chain: who did what, and its form in canonical JSON (FORMAT.md). Never a record."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from appliance.control.messages import Actor
from appliance.control.steps import Ended, Step
from appliance.model.instants import to_iso
from appliance.vault import canonical
from appliance.vault.chain import Head
from appliance.vault.seals import instant
from appliance.vault.signing import Signer

PURPOSE = b"greffier audit 1"

LONGEST_TEXT = 512
MOST_DETAILS = 32
_FIELDS = frozenset(
    {"seq", "prev", "at", "name", "role", "origin", "step", "subject", "details", "ended", "sig"}
)


@dataclass(frozen=True, slots=True)
class Noted:
    """A step that stands in the chain: `seq` its number, `hash` of the whole line."""

    seq: int
    at_ns: int
    hash: str
    actor: Actor
    step: Step
    subject: str
    details: Mapping[str, str]
    ended: Ended


def results(steps: Sequence[Noted]) -> dict[int, Ended]:
    """What each step came to, by its number: what was begun is done unless a later line says it failed.

    Only a line of the same step and subject can: the page writes lines too, and not of what the keeper does.
    """
    failed = {
        (step.step, step.subject, step.details.get("line")) for step in steps if step.ended is Ended.FAILED
    }
    return {step.seq: _result(step, failed) for step in steps}


def _result(step: Noted, failed: Set[tuple[Step, str, str | None]]) -> Ended:
    if step.ended is not Ended.BEGUN:
        return step.ended
    return Ended.FAILED if (step.step, step.subject, str(step.seq)) in failed else Ended.DONE


def plain(text: str) -> str:
    """A text on one line and within bounds, whoever wrote it: what cannot be printed becomes an escape."""
    shown = text[: LONGEST_TEXT + 1]
    if not shown.isprintable():
        shown = "".join(
            one if one.isprintable() else one.encode("unicode_escape", "surrogatepass").decode("ascii")
            for one in shown
        )
    return shown if len(shown) <= LONGEST_TEXT else shown[: LONGEST_TEXT - 1] + "…"


def compose(
    signer: Signer,
    previous: Head,
    at_ns: int,
    actor: Actor,
    step: Step,
    subject: str,
    details: Mapping[str, str],
    ended: Ended,
) -> bytes:
    """The bytes of a line, signed, its newline included."""
    fields = {
        "seq": previous.seq + 1,
        "prev": previous.hash,
        "at": to_iso(at_ns),
        "name": plain(actor.name),
        "role": plain(actor.role),
        "origin": plain(actor.origin),
        "step": str(step),
        "subject": plain(subject),
        "details": {plain(key): plain(details[key]) for key in list(details)[:MOST_DETAILS]},
        "ended": str(ended),
    }
    fields["sig"] = signer.sign(PURPOSE, canonical.encode(fields))
    return canonical.encode(fields) + b"\n"


def parse(fields: Mapping[str, Any], line: bytes) -> Noted:
    """The step that a decoded line (`line` with its newline) says. ValueError if malformed."""
    if set(fields) != _FIELDS:
        raise ValueError("has not the fields of a step")
    seq, details = fields["seq"], fields["details"]
    if type(seq) is not int or seq < 0 or not isinstance(fields["at"], str):
        raise ValueError("has no number or no time")
    if not isinstance(details, dict) or len(details) > MOST_DETAILS:
        raise ValueError("has no details, or too many")
    texts = [fields[key] for key in ("name", "role", "origin", "subject")]
    for text in (*texts, *details, *details.values()):
        if not isinstance(text, str) or len(text) > LONGEST_TEXT or not text.isprintable():
            raise ValueError("has a text that is too long or cannot be printed")
    name, role, origin, subject = texts
    return Noted(
        seq,
        instant(fields["at"]),
        canonical.sha256(line),
        Actor(name, role, origin),
        Step(fields["step"]),
        subject,
        details,
        Ended(fields["ended"]),
    )
