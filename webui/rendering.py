"""Templates to pages: Jinja2, everything escaped, the words and numbers of one language."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from webui import assets, charts, formats, wording

TEMPLATES = Path(__file__).parent / "templates"


@functools.cache
def environment(language: str) -> Environment:
    """The templates, with `_`, `ngettext` and `{% trans %}` in this language, its filters, and charts."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        auto_reload=False,
    )
    made.install_gettext_translations(wording.catalogue(language), newstyle=True)  # type: ignore[attr-defined]
    made.filters.update(formats.filters(language))
    made.globals.update(
        static=assets.url_of,
        has_asset=lambda name: name in assets.assets(),
        spread=formats.spread_function(language),
        column_chart=charts.column_chart,
    )
    return made


def rendered(language: str, template: str, values: Mapping[str, Any]) -> str:
    """A page as HTML."""
    return environment(language).get_template(template).render(language=language, **values)
