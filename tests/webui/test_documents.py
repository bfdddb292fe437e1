"""The notice and the register entry: what they say of this site, as pypdf reads it."""

import datetime as dt
import io
import itertools

import pytest
from pypdf import PdfReader

from appliance.control import messages as m
from tests.webui.made_answers import made_keeper
from webui import documents
from webui.notice import TO_FILL_IN, notice
from webui.register import register
from webui.settings import Contacts

NOW = dt.datetime(2026, 11, 22, 9, 30, tzinfo=dt.UTC)
CONTACTS = Contacts(
    controller="SARL Hôtel du Port",
    address="12 quai Nord, 59140 Dunkerque",
    representative="Jeanne Morel",
    email="contact@hotel-du-port.example",
    phone="03 20 00 00 00",
    protection_officer="Léa Ancel, dpo@hotel-du-port.example",
    operator="Nord Réseaux",
    operator_contact="aide@nord-reseaux.example",
    hosting="Central Nord, Lille",
)
MAKERS = {"notice": notice, "register": register}


def answers():
    keeper = made_keeper("good", int(NOW.timestamp()) * 1_000_000_000)
    actor = m.Actor("", "", "")
    return keeper.ask(actor, m.AskBox()), keeper.ask(actor, m.AskRetention())


def read(document):
    """The text of the PDF on one line, with the spaces of French type as spaces."""
    reader = PdfReader(io.BytesIO(documents.pdf(document, NOW)))
    text = " ".join(page.extract_text() for page in reader.pages)
    return " ".join(text.replace("\u202f", " ").split()), reader


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("name", MAKERS)
def test_every_contact_and_every_fact_is_in_the_file(name, language):
    box, retention = answers()
    document = MAKERS[name](language, box, retention, CONTACTS, "22.11.2026")
    text, reader = read(document)
    wanted = [CONTACTS.controller, CONTACTS.address, CONTACTS.email, CONTACTS.hosting, CONTACTS.operator]
    assert not [value for value in wanted if value not in text]
    articles = {article for basis in retention.bases for article in basis.articles}
    assert not [article for article in articles if article not in text]
    assert TO_FILL_IN not in text
    assert not document.missing
    assert reader.metadata is not None
    assert reader.metadata.title == document.title
    assert reader.trailer["/Root"]["/Lang"] == language
    assert f"{len(reader.pages)}/{len(reader.pages)}" in text


def test_what_nobody_said_is_left_to_be_filled_in():
    box, retention = answers()
    document = notice("fr", box, retention, Contacts(), "22.11.2026")
    assert document.missing == ("controller", "address", "email")
    assert TO_FILL_IN in read(document)[0]


def test_the_notice_is_one_sheet_that_can_be_hung_up():
    box, retention = answers()
    for language in ("fr", "en"):
        _text, reader = read(notice(language, box, retention, CONTACTS, "22.11.2026"))
        assert len(reader.pages) == 1


def test_the_notice_says_what_the_law_wants_said():
    """GDPR 13: who, why, on which basis, how long, who gets it, which rights, and where to complain."""
    box, retention = answers()
    text = read(notice("fr", box, retention, CONTACTS, "22 novembre 2026"))[0]
    for told in (
        "obligation légale",
        "6.1.c",
        "1 an",
        "justice",
        "CNIL",
        "15, 16 et 18",
        "_nomap",
        "Léa Ancel",
    ):
        assert told in text


def test_no_file_holds_what_the_box_does_not_know():
    """A hostile name is a name: it is printed, and steers nothing."""
    box, retention = answers()
    told = Contacts(controller="<b>&amp;\"'%s%(x)s{{7*7}} (/Title) \\n", address="x", email="y")
    for maker in MAKERS.values():
        text, _reader = read(maker("fr", box, retention, told, "22.11.2026"))
        assert "<b>&amp;\"'%s%(x)s{{7*7}} (/Title) \\n" in text


@pytest.mark.parametrize("name", MAKERS)
def test_no_text_is_set_over_another(name):
    """Rows whose word is longer than its column keep their height: no line lies on another."""
    box, retention = answers()
    _text, reader = read(MAKERS[name]("fr", box, retention, CONTACTS, "22.11.2026"))
    for page in reader.pages:
        places = []
        page.extract_text(
            visitor_text=lambda text, cm, tm, font, size, places=places: (
                places.append((round(tm[4]), round(tm[5], 1), text.strip())) if text.strip() else None
            )
        )
        lines = sorted({(x, y) for x, y, _text in places})
        for (x, y), (other_x, other_y) in itertools.pairwise(lines):
            assert x != other_x or other_y - y > 8


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("fr", ("adresse du service contacté", "l’identifiant du compte", "votre appareil ou votre compte")),
        ("en", ("address of the service contacted", "its account name", "your device or your account")),
    ],
)
def test_destinations_and_account_names_are_told_of(language, told):
    """Both are in the vaults: `peer_ip` of a connection, `user` of a binding."""
    box, retention = answers()
    for maker in MAKERS.values():
        text = read(maker(language, box, retention, CONTACTS, "22.11.2026"))[0]
        assert not [words for words in told[:2] if words not in text]
    assert told[2] in read(notice(language, box, retention, CONTACTS, "22.11.2026"))[0]
