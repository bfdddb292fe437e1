"""Every text of the page has its French, says the same values, and is set as French is set."""

import re
from pathlib import Path

import pytest
from babel.messages.checkers import python_format
from babel.messages.extract import extract_from_dir

from webui import wording

WEBUI = Path(wording.__file__).parent
WHERE = [("templates/**.html", "jinja2"), ("**.py", "python")]
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "said": (2,), "said_many": (2, 3)}
OPTIONS = {"templates/**.html": {"trimmed": "false"}}


def texts() -> set[str | tuple[str, ...]]:
    """Every text of code and templates, plural ones as pairs."""
    found = extract_from_dir(WEBUI, WHERE, OPTIONS, keywords=KEYWORDS)
    return {message for _file, _line, message, _comments, _context in found if message}


def known() -> set[str]:
    """Every text that the catalogue has French for, plural ones too."""
    pieces: set[str] = set()
    for message in wording.together("fr"):
        pieces.update(message.id if isinstance(message.id, (tuple, list)) else (message.id,))
    return pieces - {""}


def shown() -> set[str]:
    """Every text of code and templates, plural ones too."""
    pieces: set[str] = set()
    for text in texts():
        pieces.update(text if isinstance(text, tuple) else (text,))
    return pieces


def test_every_text_has_its_french() -> None:
    assert len(shown()) > 150
    assert sorted(shown() - known()) == []


def test_no_two_parts_differ() -> None:
    said: dict[object, tuple[str, object]] = {}
    for name, part in wording.parts("fr").items():
        for message in part:
            key = message.id[0] if isinstance(message.id, (tuple, list)) else message.id
            if key and message.string:
                first, string = said.setdefault(key, (name, message.string))
                assert string == message.string, f"{first} and {name} differ on {key!r}"


def test_french_says_the_same_values() -> None:
    catalogue = wording.together("fr")
    for message in catalogue:
        if message.id and message.python_format:
            python_format(catalogue, message)
        for said in message.string if isinstance(message.string, tuple) else (message.string or "",):
            source = message.id[-1] if isinstance(message.id, (tuple, list)) else message.id
            names = set(re.findall(r"%\((\w+)\)s", str(source)))
            assert set(re.findall(r"%\((\w+)\)s", said)) <= names, said


def test_no_french_is_left_over() -> None:
    """A text that nobody shows any more is forgotten in the catalogue too."""
    assert sorted(known() - shown()) == []


@pytest.mark.parametrize(
    ("typed", "set_"),
    [
        ("l'heure", "l’heure"),
        ("Que faire ?", "Que faire\u202f?"),
        ("Que faire : rien", "Que faire\u00a0: rien"),
        ("« oui »", "«\u00a0oui\u00a0»"),
        ("75 000 euros", "75\u202f000 euros"),
        ("https://greffier.local", "https://greffier.local"),
    ],
)
def test_french_is_set_as_french(typed: str, set_: str) -> None:
    assert wording.french_typography(typed) == set_


@pytest.mark.parametrize(
    ("query", "cookie", "header", "language"),
    [
        ("", "", "", "fr"),
        ("", "", "en-GB,en;q=0.9,fr;q=0.5", "en"),
        ("", "", "de,fr;q=0.5,en;q=0.3", "fr"),
        ("", "", "fr;q=0.1, en;q=0.2", "en"),
        ("", "", "en;q=0, fr", "fr"),
        ("", "en", "fr", "en"),
        ("fr", "en", "en", "fr"),
        ("xx", "../..", "zz;q=bad,,;;q=" + "9" * 9_000, "fr"),
    ],
)
def test_language_is_the_one_that_was_chosen(query: str, cookie: str, header: str, language: str) -> None:
    assert wording.chosen(query, cookie, header) == language


def test_plural_follows_the_language() -> None:
    one, many = "%(num)s more point to look at", "%(num)s more points to look at"
    assert wording.said_many("en", one, many, 0) == "0 more points to look at"
    assert wording.said_many("fr", one, many, 0) == "0 autre point à voir"
    assert wording.said_many("fr", one, many, 2) == "2 autres points à voir"
