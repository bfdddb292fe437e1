"""A document of the site, as a page and as PDF: sections of paragraphs, points and facts, in one language."""

import datetime as dt
from dataclasses import dataclass

from webui.paper import Paper


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it, in this order."""

    heading: str
    paragraphs: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Document:
    """`missing` are settings that it lacks, by name: it is not complete without them."""

    language: str
    title: str
    lede: str
    sections: tuple[Section, ...]
    foot: str
    missing: tuple[str, ...] = ()


def pdf(document: Document, now: dt.datetime) -> bytes:
    """The document as PDF."""
    paper = Paper(document.language, document.title, document.foot, now)
    paper.paragraph(document.lede)
    for section in document.sections:
        paper.heading(section.heading)
        for paragraph in section.paragraphs:
            paper.paragraph(paragraph)
        if section.points:
            paper.points(section.points)
        if section.facts:
            paper.facts(section.facts)
    return paper.content()
