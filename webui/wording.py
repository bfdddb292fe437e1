"""The words of the page in French and English: English stands in code and templates, French in `locale/`.

Each part of the page brings its own file `locale/fr/parts/NAME.po`; they are put together when the page
starts. A text may stand in several parts if all say it alike: a test sees to it.
"""

import functools
import gettext
import io
import re
from pathlib import Path

from babel.core import negotiate_locale
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = ("fr", "en")
LOCALE = Path(__file__).parent / "locale"

_NARROW, _WIDE = "\u202f", "\u00a0"


def chosen(query: str, cookie: str, accept_language: str) -> str:
    """The language of a request: what was just chosen, else chosen before, else what the browser prefers."""
    for wish in (query, cookie):
        if wish in LANGUAGES:
            return wish
    return negotiate_locale(_by_preference(accept_language), LANGUAGES, sep="-") or LANGUAGES[0]


def said(language: str, text: str, **values: object) -> str:
    """A text of the code in this language; `%(name)s` in it stands for a value."""
    return catalogue(language).gettext(text) % values


def said_many(language: str, one: str, many: str, num: int, **values: object) -> str:
    """The same for a number of things; `%(num)s` in both texts stands for the number."""
    return catalogue(language).ngettext(one, many, num) % {"num": num, **values}


@functools.cache
def catalogue(language: str) -> gettext.NullTranslations:
    """The words of a language; English ones stand in the code and the templates themselves."""
    if language not in LANGUAGES or not (LOCALE / language).is_dir():
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, together(language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def together(language: str) -> Catalog:
    """Every part of a language as one catalogue; where two parts say a text differently the first holds."""
    whole = Catalog(locale=language)
    for part in parts(language).values():
        for message in part:
            if message.id and message.string and whole.get(message.id) is None:
                whole.add(message.id, _set_in_type(message, language))
    return whole


def parts(language: str) -> dict[str, Catalog]:
    """Each part as it stands in its file, by the file's name, in order of names."""
    found = {}
    for file in sorted((LOCALE / language / "parts").glob("*.po")):
        with file.open("rb") as words:
            found[file.name] = read_po(words, locale=language, abort_invalid=True)
    return found


def french_typography(text: str) -> str:
    """The spaces and apostrophes that French is set with, where they were typed plainly."""
    text = text.replace("'", "’").replace("« ", f"«{_WIDE}").replace(" »", f"{_WIDE}»")
    text = re.sub(r" (?=[;!?])", _NARROW, text)
    text = re.sub(r" (?=:(\s|$))", _WIDE, text)
    return re.sub(r"(?<=\d) (?=\d{3}\b)| (?=%%)", _NARROW, text)


def _set_in_type(message: Message, language: str) -> str | tuple[str, ...]:
    string = message.string or ""
    pieces = (string,) if isinstance(string, str) else tuple(string)
    if language == "fr":
        pieces = tuple(french_typography(piece) for piece in pieces)
    return pieces[0] if isinstance(string, str) else pieces


def _by_preference(accept_language: str) -> list[str]:
    """The languages of an Accept-Language header (RFC 9110, 12.5.4), the most wanted first; bounded."""
    wanted: list[tuple[float, int, str]] = []
    for place, piece in enumerate(accept_language[:500].split(",")[:20]):
        tag, _, quality = piece.strip().partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            continue
        if weight > 0:
            wanted.append((-weight, place, tag.strip()))
    return [tag for _weight, _place, tag in sorted(wanted)]
