"""What is wrong, as a manager reads it: what, what it means, what to do, and on which page. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from appliance.control.messages import Finding
from appliance.control.words import Level
from webui import vocabulary
from webui.rights import Right
from webui.trouble_texts import TELL, TEXTS, Page, Text
from webui.wording import said, said_many

_PAGES: dict[Page, tuple[str, Right]] = {
    Page.SOURCES: ("/sources", Right.SEE_SOURCES),
    Page.RETENTION: ("/retention", Right.SEE_RETENTION),
    Page.REPLICATION: ("/replication", Right.SEE_REPLICATION),
    Page.JOURNAL: ("/journal", Right.SEE_AUDIT),
    Page.SETTINGS: ("/settings", Right.CHANGE_SETTINGS),
}


@dataclass(frozen=True)
class Told:
    """One finding in a person's language. `path` and `link` are empty where he may see no page that helps.

    `said` is the box's own sentence, English, for whoever repairs it.
    """

    level: Level
    what: str
    why: str
    todo: str
    path: str
    link: str
    since: str | None
    said: str


def told(
    finding: Finding, language: str, name_of: Callable[[str], str], may: Callable[[Right], bool]
) -> Told:
    """The sentences for a finding. `name_of` gives what the site calls a place."""
    text = TEXTS[finding.trouble]
    subject = _subject(finding.subject, language, name_of)
    path, right = _PAGES[text.page] if text.page else ("", Right.SELF)
    is_seen = bool(path) and may(right)
    return Told(
        level=finding.level,
        what=_what(text, language, subject, finding.count),
        why=said(language, text.why),
        todo=said(language, text.todo if text.by is None or may(text.by) else TELL),
        path=path if is_seen else "",
        link=said(language, text.page.value) if is_seen and text.page else "",
        since=finding.since,
        said=finding.said,
    )


def in_order(findings: tuple[Finding, ...]) -> list[Finding]:
    """The gravest first, else as the box said them."""
    order = {Level.FAILING: 0, Level.ATTENTION: 1, Level.WELL: 2}
    return sorted(findings, key=lambda finding: order[finding.level])


def _what(text: Text, language: str, subject: str, count: int) -> str:
    if text.many:
        return said_many(language, text.what, text.many, count)
    if text.bare and not subject:
        return said(language, text.bare)
    return said(language, text.what, subject=subject)


def _subject(subject: str, language: str, name_of: Callable[[str], str]) -> str:
    """`eth1`, `interface:eth1, interface:eth2`, `label/mac`, or the word of a vault, as the site calls it."""
    if known := vocabulary.VAULTS.get(subject):
        return said(language, known)
    names = (name.removeprefix("interface:") for name in subject.split(", "))
    return ", ".join(name_of(name.rpartition("/")[2] or name) for name in names)
