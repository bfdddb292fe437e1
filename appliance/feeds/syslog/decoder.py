"""Lines of one sender to what they tell: header, content, then the grammar that knows them."""

from collections.abc import Callable, Iterable

import numpy as np

from appliance.feeds.clocks import NOT_KNOWN, believed
from appliance.feeds.syslog.content import Content, stripped
from appliance.feeds.syslog.grammar import Grammar, Line
from appliance.feeds.syslog.header import Head, Header
from appliance.feeds.syslog.needles import grammars_for
from appliance.feeds.syslog.registry import GRAMMARS
from appliance.feeds.told import Address, Messages, Teller, Told
from appliance.model.reasons import Note, Refusal
from appliance.model.texts import Texts

LONGEST = 16_384
"""Octets of a line that is read; RFC 5424 section 6.1 asks for 2,048, and no grammar here needs a tenth."""


class SyslogDecoder:
    """One sender's lines. `time_zone` (IANA) is of instants that name none, `grammar` the one to ask first.

    `ap_mac` is the access point meant by lines that name none, 0 if there are several. What `reference` gives
    (UTC ns) stands in for a receipt that is not known: the year of a line in an old file comes right.
    """

    def __init__(
        self,
        texts: Texts,
        time_zone: str,
        grammar: str = "",
        ap_mac: int = 0,
        reference: Callable[[], int] = lambda: NOT_KNOWN,
    ) -> None:
        self._reference = reference
        self._teller = Teller(texts)
        self._header = Header(time_zone)
        self._ap_mac = ap_mac
        self._places: dict[tuple[str, int], str] = {}
        self._exchanges: dict[tuple[str, str], tuple[int, Address]] = {}
        self._first = tuple(each for each in GRAMMARS if each.name == grammar)

    def decode(self, messages: Messages) -> Told:
        """Take lines in order of their arrival; each payload is one message without its framing."""
        read, reference_ns = self._header.read, self._reference()
        received = messages.received_ns.tolist()
        lines: list[tuple[int, Head]] = []
        for received_ns, payload in zip(received, messages.payloads, strict=True):
            text = self._text(payload)
            if text:
                lines.append((received_ns, read(text, received_ns or reference_ns)))
        stated = np.array([head.stated_ns for _, head in lines], np.int64)
        when = np.array([received_ns for received_ns, _ in lines], np.int64)
        known = (believed(stated, when) & (stated != 0)).tolist()
        for (received_ns, head), is_believed in zip(lines, known, strict=True):
            self._tell(received_ns, head, is_believed)
        return self._teller.told()

    def expire(self, now_ns: int) -> Told:
        """Nothing: lines wait for nothing."""
        return Told()

    def _text(self, payload: bytes) -> str:
        """The first line of a message, "" (and counted) if there is nothing to read."""
        teller = self._teller
        payload = payload.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n\0 ")
        if not payload:
            teller.refused[Refusal.EMPTY] += 1
            return ""
        if len(payload) > LONGEST:
            teller.refused[Refusal.BAD_LENGTH] += 1
            return ""
        if b"\n" in payload:
            teller.noted[Note.FURTHER_LINES] += 1
            payload = payload.lstrip(b"\r\n").partition(b"\n")[0].rstrip(b"\r")
        try:
            return payload.decode()
        except UnicodeDecodeError:
            teller.noted[Note.NOT_UTF8] += 1
            return payload.decode("utf-8", "replace")

    def _tell(self, received_ns: int, head: Head, is_believed: bool) -> None:
        teller = self._teller
        if not is_believed:
            if not received_ns:
                teller.refused[Refusal.UNDATED] += 1
                return
            if head.stated_ns:
                teller.noted[Note.DEVICE_CLOCK] += 1
        text, content = stripped(head.program, head.text)
        if content is Content.WHOLE:
            teller.refused[Refusal.CONTENT] += 1
            return
        line = Line(
            head.stated_ns if is_believed else received_ns,
            received_ns,
            not is_believed,
            head.host,
            head.program,
            text,
            head.ap_mac or self._ap_mac,
            self._places,
            self._exchanges,
        )
        if any(grammar.read(line, teller) for grammar in self._candidates(line)):
            if content is Content.FIELDS:
                teller.noted[Note.CONTENT_STRIPPED] += 1
        elif content is Content.FIELDS:
            teller.refused[Refusal.CONTENT] += 1
        else:
            teller.refused[Refusal.NOT_UNDERSTOOD] += 1

    def _candidates(self, line: Line) -> Iterable[Grammar]:
        """The grammars to ask, each once: the declared one, those of its program, those of its needles."""
        asked = set()
        for grammar in (*self._first, *_OF_PROGRAM.get(line.program, ())):
            if grammar.name not in asked:
                asked.add(grammar.name)
                yield grammar
        for grammar in grammars_for(line.text):
            if grammar.name not in asked:
                yield grammar


_NAMED = sorted(GRAMMARS, key=lambda grammar: grammar.name)
_OF_PROGRAM = {
    program: tuple(grammar for grammar in _NAMED if program in grammar.programs)
    for each in GRAMMARS
    for program in each.programs
}
