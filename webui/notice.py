"""The notice for the people who use the Wi-Fi: what is kept of them and why, as GDPR 13 asks. Pure."""

# ruff: noqa: E501 - prose: a sentence that is translated stands on one line

from collections.abc import Iterator

from appliance.control.messages import Basis, Box, Retention
from webui.documents import Document, Section
from webui.settings import Contacts
from webui.vocabulary import VAULT_CONTENTS, VAULTS, word
from webui.wording import said, said_many

TO_FILL_IN = "……………………………………"
"""Stands where the site has not said who it is: whoever prints it can write it in."""


def notice(language: str, box: Box, retention: Retention, contacts: Contacts, day: str) -> Document:
    """The notice of this site, in this language. `day` is shown as the day of its making."""
    controller = contacts.controller or TO_FILL_IN
    return Document(
        language,
        said(language, "Your data on this Wi-Fi"),
        said(
            language,
            "%(controller)s offers you this Wi-Fi. The law obliges whoever does so to keep technical data of "
            "connections. This notice says which, why, for how long, and what your rights are.",
            controller=controller,
        ),
        (
            _who(language, contacts),
            _what(language, retention),
            _never(language),
            _safe(language, box, contacts),
            _rights(language, contacts),
        ),
        f"{contacts.controller or box.site} · {day}",
        missing_of(contacts),
    )


def missing_of(contacts: Contacts) -> tuple[str, ...]:
    """The contacts that a notice cannot do without and that nobody has set."""
    return tuple(name for name in ("controller", "address", "email") if not getattr(contacts, name))


def kept(language: str, retention: Retention) -> Iterator[tuple[str, str]]:
    """(vault, what it keeps, for how long and by which law) of each vault."""
    for vault in retention.vaults:
        term = said_many(language, "%(num)s year", "%(num)s years", vault.term_years)
        articles = [article for basis in bases_of(retention, vault.vault) for article in basis.articles]
        yield (
            word(language, VAULTS, vault.vault),
            said(
                language,
                "%(contents)s. Kept for %(term)s (%(law)s).",
                contents=_capital(word(language, VAULT_CONTENTS, vault.vault)),
                term=term,
                law=", ".join(dict.fromkeys(articles)) or "–",
            ),
        )


def bases_of(retention: Retention, vault: str) -> list[Basis]:
    """The legal bases of a vault."""
    return [basis for basis in retention.bases if vault in basis.vaults]


def _who(language: str, contacts: Contacts) -> Section:
    facts = [
        (said(language, "Controller"), _lines(contacts.controller or TO_FILL_IN, contacts.address)),
        (said(language, "Contact"), _lines(contacts.email or TO_FILL_IN, contacts.phone)),
    ]
    if contacts.protection_officer:
        facts.append((said(language, "Data protection officer"), contacts.protection_officer))
    if contacts.operator:
        facts.append((said(language, "Runs it for us"), _lines(contacts.operator, contacts.operator_contact)))
    return Section(said(language, "Who is responsible"), facts=tuple(facts))


def _what(language: str, retention: Retention) -> Section:
    return Section(
        said(language, "What is kept, why, and for how long"),
        (
            said(
                language,
                "The purpose is to answer requests of the courts and of authorities that the law names, and "
                "nothing else. The basis is a legal obligation (GDPR, article 6.1.c).",
            ),
        ),
        facts=tuple(kept(language, retention)),
    )


def _never(language: str) -> Section:
    return Section(
        said(language, "What is never kept"),
        points=(
            said(language, "the pages you visit, your searches, your messages, what you watch or say"),
            said(
                language,
                "your name, unless the account that you sign in with contains it: nobody asks you for it",
            ),
            said(
                language,
                "your location beyond the access point that you use; access points are not located on a "
                "map, nor reported to anybody who does (whether or not their name ends in _nomap)",
            ),
        ),
    )


def _safe(language: str, box: Box, contacts: Contacts) -> Section:
    texts = [
        said(
            language,
            "The data are encrypted as they are recorded. Neither the staff of this place nor the firm that "
            "runs the equipment can read them. They are opened only on a lawful request, by %(quorum)s key "
            "holders together, and each opening is noted.",
            quorum=max(box.quorum, 1),
        ),
        said(
            language,
            "When the term has passed, the keys are destroyed automatically: no copy can be read any more. "
            "Only an order of a judge or an authority can postpone this, for the days it names.",
        ),
    ]
    shared = said(language, "They are handed to nobody else, sold to nobody, and decide nothing about you.")
    if contacts.hosting:
        shared += " " + said(language, "Encrypted copies lie here: %(hosting)s.", hosting=contacts.hosting)
    texts.append(shared)
    return Section(said(language, "How they are protected"), tuple(texts))


def _rights(language: str, contacts: Contacts) -> Section:
    return Section(
        said(language, "Your rights"),
        (
            said(
                language,
                "You may ask for access to the data about you, for their correction, and for restriction of "
                "their use (GDPR, articles 15, 16 and 18). As the law obliges us to keep them, they cannot be "
                "erased before their term, and there is no right to object or to portability. As nobody "
                "asks for your name, we will ask you for what lets us find your device or your account.",
            ),
            said(
                language,
                "Write to: %(contact)s. You may also complain to the CNIL: www.cnil.fr, 3 place de Fontenoy, TSA 80715, 75334 Paris Cedex 07.",
                contact=contacts.protection_officer or contacts.email or TO_FILL_IN,
            ),
        ),
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _lines(*texts: str) -> str:
    return ", ".join(filter(None, texts))
