"""The header of a line: when, from whom, of which program; RFC 3164, RFC 5424 and what devices make of them.

A priority may be missing, so may be the instant, the host or the tag. What is no header is left in the text.
"""

import re
from typing import NamedTuple

from appliance.feeds.syslog.timestamps import NOT_STATED, ZONES, Timestamps, fraction_ns
from appliance.model.instants import NS


class Head(NamedTuple):
    """`stated_ns` is the instant the device states, NOT_STATED if it states none that can be read.

    `program` is in lower case, without path and PID; `ap_mac` that of the device, where the header names it.
    """

    stated_ns: int
    host: str
    program: str
    text: str
    ap_mac: int = 0


_MONTH = (
    r"(?:[Jj][Aa][Nn]|[Ff][Ee][Bb]|[Mm][Aa][RrYy]|[Aa][Pp][Rr]|[Jj][Uu][NnLl]|[Aa][Uu][Gg]|[Ss][Ee][Pp]"
    r"|[Oo][Cc][Tt]|[Nn][Oo][Vv]|[Dd][Ee][Cc])"
)
_ZONES = "|".join(ZONES)
_BSD = re.compile(
    rf"(?:\w{{3}} )?({_MONTH} [ \d]?\d) (?:((?:19|20)\d\d) )?(\d\d:\d\d:\d\d)(?:[.,](\d{{1,9}}))?"
    rf"(?: ({_ZONES})(?=:| (?:19|20)\d\d ))?(?: ((?:19|20)\d\d)(?=[ :]))?(?: ({_ZONES})(?=:))?(:?)(?: +|$)",
    re.ASCII,
)
"""RFC 3164 section 4.1.2; a year on either side (logread, Cisco); a zone; a colon (Cisco), not a host."""
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))? ?(Z|[+-]\d\d:?\d\d)?"
    rf"(?: ({_ZONES})(?= ))?(:?)(?: +|$)",
    re.ASCII,
)
_EPOCH = re.compile(r"\[?([0-8]?\d{9})\.(\d{1,9})(\]?:?)\s+(?:\d{10}\.\d{6}: )?", re.ASCII)
"""Seconds since 1970: hostapd -t (which may write it twice), conntrack -o timestamp, Meraki."""
_RFC5424 = re.compile(
    r"(\S{1,255}) (\S{1,255}) (\S{1,255}) (\S{1,255}) "
    r"(-|(?:\[[^\]\"]*(?:\"[^\"\\]*(?:\\.[^\"\\]*)*\"[^\]\"]*)*\])+)(?: (.*)|$)",
    re.DOTALL,
)
"""HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG (section 6)."""
_VERSION = re.compile(r"[1-9]\d? (?=-|\d)", re.ASCII)
_CISCO = re.compile(rf"(?:\*?[\w.-]{{1,64}}: ){{0,3}}[*.]?(?={_MONTH} )", re.ASCII)
"""Sequence number, host, task (`29: router: *Mar  1 00:00:01.123: %...`); `*`, `.`: its clock is not set."""
_FIELDS = re.compile(r"date=\"?(\d{4}-\d\d-\d\d)\"?[ ,]+time=\"?(\d\d:\d\d:\d\d)\b", re.ASCII)
_FIELD_ZONE = re.compile(r"\btz=\"?([+-]\d\d:?\d\d)\b", re.ASCII)
"""FortiGate: the instant is in fields, and no header is."""
_UNIFI = "CEF:0|Ubiquiti|"
_UTC_FIELD = re.compile(r" UNIFIutcTime=(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z(?= |$)", re.ASCII)
"""UniFi Network 9 and later, where something wrote its events to a file without their header."""
_TAG = re.compile(r"(?!%|\(|Address:|Prefix:)([^\s:\[\]<>,=\"]{1,64})(?:\[[^\]\s]{0,64}\])?:(?=\s|$)\s*")
_HOST = re.compile(r"([^\s:\[\]<>,=\"%]{1,255}|[0-9A-Fa-f:.]{2,45})\s+(?=\S)")
_DEVICE = re.compile(r"\(?\"?(?:[\w.+-]*,)?([0-9A-Fa-f]{12}),[^\s\"]*\"?\)?:?\s+", re.ASCII)
"""UniFi: a MAC between model and version, `("U7PG2,788a20aabbcc,v4.0.42")`, `788a20aabbcc,U7PG2-6.0.21:`."""
_LOGREAD = re.compile(
    r"(?:\[\s*[\d.]+\] )?(?:\w+\.(?:emerg|alert|crit|err|warn|notice|info|debug)) +", re.ASCII
)
"""OpenWrt's logread: facility and level where the host would be."""
_LEVELS = frozenset(("DEBUG", "INFO", "WARN", "ERROR", "FATAL"))  # log4cplus (Kea) has them in its place


class Header:
    """Splits lines; `time_zone` is of instants that name none."""

    def __init__(self, time_zone: str) -> None:
        self._timestamps = Timestamps(time_zone)

    def read(self, line: str, reference_ns: int) -> Head:
        """A line without its end to its Head; `reference_ns` is when it came, or its file was written."""
        at = 0
        if line[:1] == "<":
            end = line.find(">", 1, 5)
            if line[1:end].isdecimal():
                at = end + 1
                while line[at : at + 1] == " ":
                    at += 1
        first = line[at : at + 1]
        if first.isdecimal() or first == "[":
            return self._numeric(line, at, reference_ns)
        found = _BSD.match(line, at) or self._cisco(line, at)
        if found is not None:
            return self._bsd(line, found, reference_ns)
        fields = _FIELDS.match(line, at)
        if fields is not None:
            zone = _FIELD_ZONE.search(line, fields.end()) if "tz=" in line else None
            stated = self._timestamps.dated(fields[1], fields[2], zone[1] if zone else "", reference_ns)
            return Head(stated, "", "", line[at:])
        if line.startswith(_UNIFI, at):
            return Head(self._unifi(line, at, reference_ns), "", "", line[at:])
        return _split(NOT_STATED, line, at, True)

    def _unifi(self, line: str, at: int, reference_ns: int) -> int:
        """The instant in the fields, if there is one only: a station's name may look like another."""
        found = _UTC_FIELD.findall(line, at)
        if len(found) != 1:
            return NOT_STATED
        date, clock, fraction = found[0]
        stated = self._timestamps.dated(date, clock, "Z", reference_ns)
        return stated + fraction_ns(fraction) if fraction and stated else stated

    def _numeric(self, line: str, at: int, reference_ns: int) -> Head:
        version = _VERSION.match(line, at)
        if version is not None:
            return self._rfc5424(line, version.end(), reference_ns)
        found = _ISO.match(line, at)
        if found is not None:
            stated = self._iso(found, reference_ns)
            return _split(stated, line, found.end(), bool(found[6]))
        found = _EPOCH.match(line, at)
        if found is not None:
            return _split(_epoch(found), line, found.end(), bool(found[3]))
        found = self._cisco(line, at)
        if found is not None:
            return self._bsd(line, found, reference_ns)
        return _split(NOT_STATED, line, at, True)

    def _rfc5424(self, line: str, at: int, reference_ns: int) -> Head:
        stated, end = NOT_STATED, at + 2
        if line[at] != "-":
            found = _ISO.match(line, at)
            if found is None:
                found = _EPOCH.match(line, at)
                if found is None:
                    return _split(NOT_STATED, line, at, True)
                return _split(_epoch(found), line, found.end(), False)
            stated, end = self._iso(found, reference_ns), found.end()
        parts = _RFC5424.match(line, end)
        if parts is None:  # what calls itself version 1 and goes on in its own way
            return _split(stated, line, end, False)
        host, program, data, text = parts[1], parts[2], parts[5], parts[6] or ""
        program = "" if program == "-" else program.lower()
        text = text.removeprefix("\ufeff").lstrip() or data
        return Head(stated, "" if host == "-" else host, program, text)

    def _cisco(self, line: str, at: int) -> "re.Match[str] | None":
        before = _CISCO.match(line, at)
        return before and _BSD.match(line, before.end())

    def _bsd(self, line: str, found: "re.Match[str]", reference_ns: int) -> Head:
        day, year, clock, fraction, zone_before, year_after, zone, colon = found.groups()
        year, zone = year or year_after, zone_before or zone
        if year:
            stated = self._timestamps.with_year(year, day, clock, zone or "", reference_ns)
        else:
            stated = self._timestamps.without_year(day, clock, zone or "", reference_ns)
        if fraction and stated:
            stated += fraction_ns(fraction)
        at = found.end()
        if year_after:
            logread = _LOGREAD.match(line, at)
            if logread is not None:
                return _split(stated, line, logread.end(), True)
        return _split(stated, line, at, bool(colon))

    def _iso(self, found: "re.Match[str]", reference_ns: int) -> int:
        date, clock, fraction, offset, name, _ = found.groups()
        stated = self._timestamps.dated(date, clock, offset or name or "", reference_ns)
        return stated + fraction_ns(fraction) if fraction and stated else stated


def _epoch(found: "re.Match[str]") -> int:
    return int(found[1]) * NS + fraction_ns(found[2])


def _split(stated_ns: int, line: str, at: int, hostless: bool) -> Head:
    """Host and tag (RFC 3164 section 4.1.2 and 4.1.3) of what follows the instant; either may be missing."""
    host, ap_mac = "", 0
    tag = _TAG.match(line, at)
    if tag is None:
        found = None if hostless else _HOST.match(line, at)
        if found is not None:
            host, at = found[1], found.end()
            if host in _LEVELS:
                host = ""
        device = _DEVICE.match(line, at)
        if device is not None:
            ap_mac, at = int(device[1], 16), device.end()
        tag = _TAG.match(line, at)
    if tag is None:
        return Head(stated_ns, host, "", line[at:].lstrip(": "), ap_mac)
    program = tag[1].lower()
    if "/" in program:
        program = program.rpartition("/")[2]
    return Head(stated_ns, host, program, line[tag.end() :], ap_mac)
