"""The words of the page in French and English: catalogues out of `locale/`."""

import functools
import gettext
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = ("fr", "en")
LOCALE = Path(__file__).parent / "locale"


@functools.cache
def catalogue(language: str) -> gettext.NullTranslations:
    """The words of a language; English ones stand in the code and the templates themselves."""
    import io

    file = LOCALE / language / "LC_MESSAGES" / "greffier.po"
    if not file.exists():
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    with file.open("rb") as words:
        write_mo(compiled, read_po(words, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
