"""No word of a program stands in a line of the journal where the language has one."""

from appliance.control.messages import Actor, AuditLine
from appliance.control.steps import Step
from webui import journal_words


def line(step: str, subject: str = "", outcome: str = "done", **details: str) -> AuditLine:
    actor = Actor("claire", "client-technical", "10.0.0.5")
    return AuditLine(10, "2026-11-22T10:00:00Z", actor, step, subject, details, outcome, "0")


def test_a_confirmation_is_told_in_words() -> None:
    told = line(Step.CONFIRM_BASIS, "traffic-injunction", text="Décret 2026-1", first_day="2026-10-21")
    assert journal_words.role("fr", told) == "Contact technique"
    assert journal_words.subject("fr", told) == "Connexions\u00a0: le décret de l’année"
    assert journal_words.details("fr", told) == [
        ("texte", "Décret 2026-1"),
        ("premier jour", "21 oct. 2026"),
    ]


def test_a_failed_line_says_of_which_it_is_and_why() -> None:
    told = line(Step.SET_LAPSE, "traffic", "failed", line="10", error="UsageError")
    assert journal_words.outcome("fr", told) == "échoué"
    assert journal_words.subject("fr", told) == "Connexions"
    assert journal_words.details("fr", told) == [("de la ligne", "n° 10"), ("motif", "demande impossible")]


def test_rules_and_vaults_are_told_in_words() -> None:
    told = line(Step.PLACE_HOLD, "order 12", vaults="traffic source", lapse="stop", until="2028-02-01")
    assert journal_words.details("fr", told)[0] == ("quoi", "Connexions, Appareils et adresses")
    assert "Ne plus" in journal_words.details("fr", told)[1][1]
    assert journal_words.details("fr", told)[2][1] == "1er févr. 2028"


def test_a_name_that_somebody_gave_stands() -> None:
    assert journal_words.subject("fr", line(Step.ADD_USER, "traffic")) == "traffic"
    assert journal_words.details("fr", line(Step.PLACE_HOLD, "x", until="some day")) == [
        ("jusqu’au", "some day")
    ]
