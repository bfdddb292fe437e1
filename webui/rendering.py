"""Templates to pages: Jinja2, everything escaped, the words and numbers of one language."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from webui import assets, charts, formats, wording

TEMPLATES = Path(__file__).parent / "templates"
_WORDS = 4096


@functools.cache
def environment(language: str) -> Environment:
    """The templates, with `_`, `ngettext` and `{% trans %}` in this language, its filters, and charts."""
    made = Environment(
        loader=DictLoader(sources()),
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
        chart_bars=charts.bars,
        drawn_icon=_icon,
        _=_saying(language),
    )
    return made


@functools.cache
def sources() -> Mapping[str, str]:
    """Every template, read at once: files that an upgrade replaces change nothing of a page that runs."""
    return {file.name: file.read_text("utf-8") for file in TEMPLATES.glob("*.html")}


def _saying(language: str) -> Callable[..., Markup]:
    """`_` of templates. Words without a value are looked up once: a page says a hundred of them."""
    found = wording.catalogue(language).gettext

    @functools.lru_cache(maxsize=_WORDS)
    def plain(text: str) -> Markup:
        return Markup(found(text)) % {}  # noqa: S704 - our own words; values are escaped as they are put in

    def saying(text: str, /, **values: Any) -> Markup:
        return Markup(found(text)) % values if values else plain(text)  # noqa: S704 - the same

    return saying


@functools.lru_cache(maxsize=_WORDS)
def _icon(name: str, label: str, kind: str) -> Markup:
    """A sign out of the file of signs; without a label it is for the eye alone."""
    told = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup('<svg class="icon{}" width="20" height="20" {}><use href="{}#{}"></use></svg>').format(
        f" {kind}" if kind else "", told, assets.url_of("vendor/lucide/icons.svg"), name
    )


def rendered(language: str, template: str, values: Mapping[str, Any]) -> str:
    """A page as HTML."""
    return environment(language).get_template(template).render(language=language, **values)
