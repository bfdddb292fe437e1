"""How the box stands, in one sentence and one colour: what a manager reads in ten seconds. Pure."""

from dataclasses import dataclass

from appliance.control.messages import Overview
from appliance.control.words import Level, Trouble
from webui.vocabulary import VAULTS, word
from webui.wording import said, said_many


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated when it is shown."""
    return text


_BEGINNING = frozenset({Trouble.NOT_SET_UP, Trouble.NO_SOURCE})


@dataclass(frozen=True)
class Standing:
    """`colour` is well, attention, failing, or plain: the box has just been set up and nothing is wrong."""

    colour: str
    headline: str
    sentence: str


def standing(now: Overview, language: str) -> Standing:
    """The sentence for all that was found."""
    colour = str(now.level)
    if now.last_record is None and any(finding.trouble in _BEGINNING for finding in now.findings):
        headline = _("Almost there: one step is left")
        sentence = _("The box works. It records as soon as something is connected to it.")
        return Standing("plain", said(language, headline), said(language, sentence))
    if now.last_record is None and now.is_recording:
        return _first_minutes(now, language, colour)
    if not now.is_recording:
        colour = str(Level.FAILING if now.level is Level.WELL else now.level)
        headline = _("Nothing is being recorded at the moment")
        sentence = _("What your Wi-Fi carries meanwhile cannot be recorded afterwards.")
        return Standing(colour, said(language, headline), said(language, sentence))
    if stopped := _stopped(now, language):
        headline = said(language, "Part is not being recorded: %(what)s", what=stopped)
        sentence = _("Its legal basis has ended, and you chose that it stops then.")
        return Standing(colour, headline, said(language, sentence))
    if now.level is Level.WELL:
        headline = _("Everything is being recorded")
        return Standing(colour, said(language, headline), _all_well(now, language))
    failing = sum(finding.level is Level.FAILING for finding in now.findings)
    if now.level is Level.FAILING:
        headline = said_many(
            language, "Act now: %(num)s serious problem", "Act now: %(num)s serious problems", failing
        )
        return Standing(colour, headline, said(language, _("Part of the box does not do what it should.")))
    headline = said_many(
        language,
        "Recording works, %(num)s thing to look at",
        "Recording works, %(num)s things to look at",
        len(now.findings),
    )
    return Standing(colour, headline, said(language, _("Below stands what it is, and what to do about it.")))


def _stopped(now: Overview, language: str) -> str:
    """What is not recorded because its basis has ended, in words; "" where something else fails besides."""
    failing = [finding for finding in now.findings if finding.level is Level.FAILING]
    if any(finding.trouble is not Trouble.VAULT_STOPPED for finding in failing):
        return ""
    return ", ".join(word(language, VAULTS, finding.subject) for finding in failing)


def _first_minutes(now: Overview, language: str, colour: str) -> Standing:
    headline = _("Recording has begun")
    sentence = _("The first records appear here as soon as somebody uses the Wi-Fi.")
    return Standing(colour, said(language, headline), said(language, sentence))


def _all_well(now: Overview, language: str) -> str:
    copies = min(2, sum(central.sending for central in now.centrals))
    sentences = (
        _("There is nothing for you to do."),
        _("A copy is kept elsewhere. There is nothing for you to do."),
        _("Copies are kept in two other places. There is nothing for you to do."),
    )
    return said(language, sentences[copies])
