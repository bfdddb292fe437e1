"""The entry for the record of processing activities (GDPR 30), filled in as far as the box knows. Pure."""

# ruff: noqa: E501 - prose: a sentence that is translated stands on one line

from appliance.control.messages import Box, Retention
from webui.documents import Document, Section
from webui.notice import TO_FILL_IN, bases_of, kept, missing_of
from webui.settings import Contacts
from webui.vocabulary import VAULTS, word
from webui.wording import said

Facts = tuple[tuple[str, str], ...]


def register(language: str, box: Box, retention: Retention, contacts: Contacts, day: str) -> Document:
    """The entry of this site, in this language. `day` is shown as the day of its making."""
    return Document(
        language,
        said(language, "Record of processing: connection data of the Wi-Fi"),
        said(
            language,
            "Entry for the record that article 30 of the GDPR asks for, made by the box on %(day)s. Complete "
            "what is dotted, then put it with the others.",
            day=day,
        ),
        (
            Section(said(language, "Responsible"), facts=_responsible(language, contacts)),
            Section(said(language, "Purpose and basis"), facts=_purpose(language, retention)),
            Section(said(language, "Whose data, which, how long"), facts=_data(language, retention)),
            Section(said(language, "Who receives them"), facts=_recipients(language, contacts)),
            Section(said(language, "How they are secured"), points=_measures(language, box)),
            Section(said(language, "If something goes wrong"), points=_breach(language)),
        ),
        f"{contacts.controller or box.site} · {day}",
        missing_of(contacts),
    )


def _responsible(language: str, contacts: Contacts) -> Facts:
    return (
        (said(language, "Controller"), contacts.controller or TO_FILL_IN),
        (said(language, "Address"), contacts.address or TO_FILL_IN),
        (said(language, "Represented by"), contacts.representative or TO_FILL_IN),
        (
            said(language, "Contact"),
            ", ".join(filter(None, (contacts.email, contacts.phone))) or TO_FILL_IN,
        ),
        (
            said(language, "Data protection officer"),
            contacts.protection_officer or said(language, "none appointed, or: ") + TO_FILL_IN,
        ),
        (
            said(language, "Processor"),
            ", ".join(filter(None, (contacts.operator, contacts.operator_contact))) or TO_FILL_IN,
        ),
    )


def _purpose(language: str, retention: Retention) -> Facts:
    return (
        (
            said(language, "Purpose"),
            said(
                language,
                "keep the technical data that the law prescribes, to answer requests of the courts and of "
                "the authorities that it names",
            ),
        ),
        (
            said(language, "Legal basis"),
            said(language, "legal obligation (GDPR, article 6.1.c)"),
        ),
        *(
            (
                word(language, VAULTS, vault.vault),
                " ; ".join(_named(language, basis.articles, basis.confirmed_text) for basis in found),
            )
            for vault in retention.vaults
            if (found := bases_of(retention, vault.vault))
        ),
    )


def _named(language: str, articles: tuple[str, ...], confirmed: str | None) -> str:
    text = ", ".join(articles)
    return f"{text} ({confirmed})" if confirmed else text


def _data(language: str, retention: Retention) -> Facts:
    return (
        (said(language, "People concerned"), said(language, "people who use the Wi-Fi of the site")),
        *kept(language, retention),
        (
            said(language, "Not processed"),
            said(language, "content of communications, pages visited, special categories of data, location"),
        ),
        (
            said(language, "Statistics"),
            said(language, "totals that name nobody: number of devices, volumes, kinds of use"),
        ),
        (
            said(language, "Journal of the administration"),
            said(language, "accounts of those who run the box: name, address, action; 6 to 12 months"),
        ),
    )


def _recipients(language: str, contacts: Contacts) -> Facts:
    return (
        (
            said(language, "Recipients"),
            said(language, "courts and authorities named by law, on request, after it was registered"),
        ),
        (
            said(language, "Encrypted copies"),
            contacts.hosting or said(language, "on the box, and at: ") + TO_FILL_IN,
        ),
        (
            said(language, "Transfers out of the European Union"),
            said(language, "none, if the copies lie within it"),
        ),
    )


def _measures(language: str, box: Box) -> tuple[str, ...]:
    return (
        said(
            language,
            "Encryption at the time of recording, by a key of each day; the box holds public keys only and "
            "cannot read what it wrote.",
        ),
        said(
            language,
            "Opening by %(quorum)s of %(custodians)s custodians of keys together, noted in a signed journal.",
            quorum=max(box.quorum, 1),
            custodians=len(box.custodians),
        ),
        said(language, "Categories are kept apart, each with keys and a term of its own."),
        said(
            language,
            "Every hour is sealed in a signed chain: nothing can be changed or taken away without it showing.",
        ),
        said(language, "Destruction of the keys on the day, with a signed certificate."),
        said(
            language,
            "Access to the page by personal account, password and second factor; roles; every step of the "
            "administration is noted.",
        ),
    )


def _breach(language: str) -> tuple[str, ...]:
    return (
        said(language, "Tell the CNIL within 72 hours where people are at risk (GDPR, article 33)."),
        said(
            language,
            "File a complaint within 72 hours for a cyber insurance to pay (LOPMI, article 5).",
        ),
        said(language, "Encrypted data that were stolen without the keys cannot be read: say so."),
    )
