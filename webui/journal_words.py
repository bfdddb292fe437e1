"""A line of the journal as a person reads it: closed words are translated, names and texts stand. Pure."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from appliance.control.messages import AuditLine
from appliance.control.steps import Step
from webui import formats
from webui.vocabulary import (
    BASES,
    DETAILS,
    ENDED,
    GRANTED,
    KINDS,
    LAPSES,
    MISHAPS,
    PROOFS,
    ROLES,
    STEPS,
    SUBJECTS,
    VAULTS,
    word,
)
from webui.wording import said

_SUBJECTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        Step.CHANGE_SETTINGS: SUBJECTS,
        Step.PRINT_DOCUMENT: SUBJECTS,
        Step.CHANGE_RULES: SUBJECTS,
        Step.SET_LAPSE: VAULTS,
        Step.CONFIRM_BASIS: BASES,
    }
)
"""Of which steps the subject is a word of ours, and no name that somebody gave."""

_VALUES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "vaults": VAULTS,
        "lapse": LAPSES,
        "role": ROLES,
        "extras": GRANTED,
        "kinds": KINDS,
        "error": MISHAPS,
        "what": PROOFS,
    }
)
"""Details that are words of ours, one or several with spaces between."""

_DAYS = frozenset({"first_day", "last_day", "until", "before", "from", "to"})


def step(language: str, line: AuditLine) -> str:
    """What was done."""
    return word(language, STEPS, line.step)


def outcome(language: str, line: AuditLine) -> str:
    """What it came to."""
    return word(language, ENDED, line.outcome)


def role(language: str, line: AuditLine) -> str:
    """Of whom; "" where nobody signed in did it."""
    return word(language, ROLES, line.actor.role) if line.actor.role else ""


def place(language: str, line: AuditLine) -> str:
    """From where."""
    return said(language, "the box's console") if line.actor.origin == "console" else line.actor.origin


def subject(language: str, line: AuditLine) -> str:
    """What it was done to."""
    words = _SUBJECTS.get(line.step)
    return word(language, words, line.subject) if words else line.subject


def details(language: str, line: AuditLine) -> list[tuple[str, str]]:
    """The rest that the line says: names and values."""
    return [
        (word(language, DETAILS, key), _value(language, key, value)) for key, value in line.details.items()
    ]


def _value(language: str, key: str, value: str) -> str:
    if words := _VALUES.get(key):
        return ", ".join(word(language, words, one) for one in value.split())
    if key == "line":
        return f"n° {value}"
    return _day(value, language) if key in _DAYS else value


def _day(value: str, language: str) -> str:
    """A day, or an instant; as it stands where it is neither."""
    told: Callable[[str, str], str] = formats.short_day if len(value) == 10 else formats.moment
    try:
        return told(value, language)
    except ValueError:
        return value
