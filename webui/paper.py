"""Documents for paper: an A4 page with headings, paragraphs, facts, lines to copy and QR codes, as PDF.

Every letter of French and English is in the font, which is Debian's DejaVu and is put into the file.
"""

import datetime as dt
import functools
from collections.abc import Sequence
from pathlib import Path

import segno
from fpdf import FPDF
from fpdf.enums import MethodReturnValue, XPos, YPos
from fpdf.fonts import TTFFont

FONTS = Path("/usr/share/fonts/truetype/dejavu")
_FACES = {"": "DejaVuSans.ttf", "B": "DejaVuSans-Bold.ttf"}
_MARGIN_MM = 20
_GREY = 90
_LABEL_MM = 52
_LINE_MM = 5.6
_WITH_NEXT_MM = 28


@functools.cache
def _letters() -> frozenset[int]:
    """What every face can print. Read once: it takes a tenth of a second."""
    pdf = FPDF()
    for style, file in _FACES.items():
        pdf.add_font("DejaVu", style, FONTS / file)
    faces = [font for font in pdf.fonts.values() if isinstance(font, TTFFont)]
    letters = frozenset.intersection(*(frozenset(font.cmap) for font in faces))
    for font in faces:
        font.close()
    return letters


def unprintable(text: str) -> str:
    """The letters of a text that a document would show as empty boxes, each once."""
    return "".join(dict.fromkeys(letter for letter in text if ord(letter) not in _letters()))


class Paper:
    """One document, written from top to bottom; `language` is fr or en.

    `scale` 1 sets letters of 10 points; less makes all of it smaller, but for codes.
    """

    def __init__(self, language: str, title: str, foot: str, now: dt.datetime, scale: float = 1.0) -> None:
        self._scale = scale
        self._pdf = _Sheet(foot)
        for style, file in _FACES.items():
            self._pdf.add_font("DejaVu", style, FONTS / file)
        self._pdf.add_font("DejaVuMono", "", FONTS / "DejaVuSansMono.ttf")
        self._pdf.set_margin(_MARGIN_MM)
        self._pdf.set_auto_page_break(auto=True, margin=_MARGIN_MM)
        self._pdf.set_title(title)
        self._pdf.set_lang(language)
        self._pdf.set_creator("Greffier")
        self._pdf.set_creation_date(now)
        self._pdf.add_page()
        self._write(title, "B", 18, 9)
        self._pdf.ln(2)

    def heading(self, text: str) -> None:
        """A section's title, never the last line of a page."""
        if self._pdf.will_page_break(_WITH_NEXT_MM):
            self._pdf.add_page()
        self._pdf.ln(3)
        self._write(text, "B", 12, 6.5)

    def paragraph(self, text: str) -> None:
        """A paragraph in full width."""
        self._write(text, "", 10, 5.2)
        self._pdf.ln(1.2)

    def points(self, texts: Sequence[str]) -> None:
        """A list."""
        for text in texts:
            self._font("", 10)
            self._pdf.cell(5, 5.2 * self._scale, "•")
            self._write(text, "", 10, 5.2)
        self._pdf.ln(1.2)

    def facts(self, pairs: Sequence[tuple[str, str]]) -> None:
        """What a thing is called, and what it is, in two columns."""
        line = _LINE_MM * self._scale
        for label, value in pairs:
            height = line * max(self._lines(label, "B", _LABEL_MM), self._lines(value, "", 0))
            if self._pdf.will_page_break(height):
                self._pdf.add_page()
            top = self._pdf.get_y()
            self._font("B", 10)
            self._pdf.multi_cell(_LABEL_MM, line, label, align="L", new_x=XPos.RIGHT, new_y=YPos.TOP)
            self._pdf.set_xy(_MARGIN_MM + _LABEL_MM + 2, top)
            self._font("", 10)
            self._pdf.multi_cell(0, line, value, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
            self._pdf.set_xy(_MARGIN_MM, top + height)
        self._pdf.ln(1.2)

    def code(self, text: str) -> None:
        """Lines to be copied letter by letter, in a frame; a line has 78 letters at most."""
        self._pdf.set_font("DejaVuMono", "", 9)
        self._pdf.set_x(self._left)
        self._pdf.multi_cell(
            self._pdf.epw - 2 * self._pdf.c_margin,
            5,
            text.strip("\n"),
            border=1,
            align="L",
            padding=2,
            new_x=XPos.LMARGIN,
            new_y=YPos.NEXT,
        )
        self._pdf.ln(2)

    def qr(self, content: bytes, side_mm: float) -> None:
        """A QR code where the text begins, drawn as rectangles: sharp at any size. At most 2,331 bytes."""
        rows = [list(row) for row in segno.make(content, error="m", micro=False).matrix]
        if self._pdf.get_y() + side_mm > self._pdf.h - _MARGIN_MM:
            self._pdf.add_page()
        module, top = side_mm / len(rows), self._pdf.get_y()
        self._pdf.set_fill_color(0)
        for number, row in enumerate(rows):
            for first, length in _runs(row):
                # A hair wider than the module: viewers leave white lines between what only touches.
                self._pdf.rect(
                    self._left + first * module, top + number * module, length * module, module + 0.02, "F"
                )
        self._pdf.set_y(top + side_mm + 3)

    def close(self) -> None:
        """Let a document go that is not wanted."""
        for font in self._pdf.fonts.values():
            if isinstance(font, TTFFont):
                font.close()

    @property
    def pages(self) -> int:
        """How many there are so far."""
        return int(self._pdf.page_no())

    def content(self) -> bytes:
        """The file."""
        return bytes(self._pdf.output())

    @property
    def _left(self) -> float:
        """Where text begins: a cell has a margin of its own."""
        return float(_MARGIN_MM + self._pdf.c_margin)

    def _lines(self, text: str, style: str, width_mm: float) -> int:
        """How many lines a text takes; width 0: what is left beside the labels."""
        self._font(style, 10)
        width = width_mm or self._pdf.epw - _LABEL_MM - 2
        lines = self._pdf.multi_cell(width, _LINE_MM, text, dry_run=True, output=MethodReturnValue.LINES)
        return len(lines) if isinstance(lines, list) else 1

    def _write(self, text: str, style: str, points: float, height_mm: float) -> None:
        self._font(style, points)
        height = height_mm * self._scale
        self._pdf.multi_cell(0, height, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _font(self, style: str, points: float) -> None:
        self._pdf.set_font("DejaVu", style, points * self._scale)


class _Sheet(FPDF):
    def __init__(self, foot: str) -> None:
        super().__init__(format="A4")
        self._foot = foot

    def footer(self) -> None:
        """Fpdf2 calls it at the end of each page."""
        self.set_y(-14)
        self.set_font("DejaVu", "", 8)
        self.set_text_color(_GREY)
        self.cell(0, 5, f"{self._foot} · {self.page_no()}/{{nb}}", align="C")
        self.set_text_color(0)


def _runs(row: Sequence[int]) -> list[tuple[int, int]]:
    """Where dark modules stand side by side: (first, how many)."""
    runs, first = [], None
    for at, dark in enumerate([*row, 0]):
        if dark and first is None:
            first = at
        elif not dark and first is not None:
            runs.append((first, at - first))
            first = None
    return runs
