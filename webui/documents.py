"""A document of the site, as a page and as PDF: sections of paragraphs, points and facts, in one language."""

import datetime as dt
from dataclasses import dataclass

from webui.paper import Paper

_SCALES = (1.0, 0.95, 0.9)
"""Smaller than nine points nobody reads on a wall."""


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
    """The document as PDF; in letters somewhat smaller where that brings it onto one sheet.

    Takes a second: the page has it done by `webui.press`.
    """
    for scale in _SCALES:
        paper = _set(document, now, scale)
        if paper.pages == 1:
            return paper.content()
        paper.close()
    return _set(document, now, 1.0).content()


def _set(document: Document, now: dt.datetime, scale: float) -> Paper:
    paper = Paper(document.language, document.title, document.foot, now, scale)
    paper.paragraph(document.lede)
    for section in document.sections:
        paper.heading(section.heading)
        for paragraph in section.paragraphs:
            paper.paragraph(paragraph)
        if section.points:
            paper.points(section.points)
        if section.facts:
            paper.facts(section.facts)
    return paper
