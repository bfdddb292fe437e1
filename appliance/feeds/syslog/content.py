"""What names what was visited: a line that only tells that is refused whole, else its fields are cut out.

This stands before every grammar. Grammars read named fields only, so it is the first of two walls: it also
says how much was turned away.
"""

import re
from enum import Enum


class Content(Enum):
    """What a line names of what was visited."""

    NOTHING = 0
    FIELDS = 1  # some fields, which were cut out
    WHOLE = 2


_TALKERS = frozenset(
    (
        "urls", "squid", "squid-1", "(squid-1)", "privoxy", "tinyproxy", "e2guardian", "dansguardian",
        "haproxy", "nginx", "httpd", "apache", "apache2", "lighttpd", "uhttpd", "web-proxy", "named",
        "unbound", "pdns", "pdns_recursor", "dnsdist", "kresd", "coredns", "stubby", "dnscrypt-proxy",
        "adguardhome", "pihole", "pihole-ftl", "suricata", "zeek", "ntopng", "ndpi", "netifyd",
        "c-icap", "ufdbguard", "squidguard",
    )
)  # fmt: skip
"""Programs whose lines are about what was asked for: proxies, web servers, name servers, inspectors."""

_KEYS = frozenset(
    (
        "url", "uri", "urlpath", "http_url", "http_uri", "host", "hostname", "hostnames", "http_host",
        "domain", "dnsname", "dhost", "dstname", "destname", "dest_name", "destinationdnsdomain",
        "unifidomain", "fqdn", "sni", "sslsni", "ssl_sni", "tlssni", "tls_sni", "servername",
        "server_name", "qname", "rrname", "cname", "useragent", "user_agent", "http_user_agent",
        "httpuseragent", "agent", "http_agent", "refer", "referer", "referrer", "http_referer",
        "http_referrer", "httpreferer", "referralurl", "filename", "keyword",
        *(dst + name for dst in ("dst", "dst_") for name in ("url", "uri", "host", "hostname", "domain")),
        "dstdnsname", "dst_dnsname",
    )
)  # fmt: skip
_BEGINS = ("query", "request", "scert")
_BEGUN = re.compile(r"query(?:name|_?\d+)?\Z|request|scert")
_KEY = re.compile(r"(?<![\w-])(?:(\")|(?<!\"))([A-Za-z_][\w-]*+)(?(1)\"\s*:\s*|=)", re.ASCII)
_VALUE = re.compile(r"\"(?:[^\"\\]|\\.)*\"?|'[^']*'?|[^\s,;|}\]]*")
"""`key=value`, `key="value"` and `"key": "value"`."""

_FIELD_SIGNS = ("url", "uri", "host", "sni", "domain", "agent", "que", "refer", "fqdn", "keyword", "scert")
_BEFORE_NAME = ("server", "server_", "dst", "dest", "dest_", "q", "rr", "c", "dns", "file")
"""In lower case, one of these, or of those before `name`, stands in every key there is; to look for them
first is much quicker."""

_TYPES = "A|AAAA|HTTPS|SVCB|PTR|MX|TXT|SRV|NS|SOA|ANY"
_WHOLE_SIGNS = tuple(
    (sign, re.compile(pattern) if pattern else None)
    for sign, pattern in (
        ("://", ""),
        ("HTTP/", r"\bHTTP/[123]\b"),
        ("Mozilla/", ""),
        ("TCP_", r"\bTCP_[A-Z_]{3,40}/\d{3}"),  # squid's results
        ("GET ", r"\bGET \S*[./:]"),
        ("CONNECT ", r"\bCONNECT \S*[./:]"),
        (  # dnsmasq, BIND, RouterOS
            "que",
            r"\bquery(?:\[|: ?\S+ (?:IN|CH)\b)|dns query from|\bquery from \S+:|question:",
        ),
        (" IN", rf"\.[\w-]{{0,63}}\.? (?:IN (?:{_TYPES})|(?:{_TYPES}) IN)\b"),  # unbound and others
    )
)
"""Requests, and questions to name servers: where the sign stands, the pattern says whether it is meant."""

_BEGINNINGS = ("urls ", "web-proxy", "dns ", "dns,")  # Meraki, RouterOS
_EVENT = re.compile(r"\"event_type\" ?: ?\"(?:http|dns|tls|quic|fileinfo|smtp|mdns)\"")  # Suricata
_DNSMASQ = re.compile(r"(?:\d+ \S+ )?\S+(?: \S+){1,2} (?:is|to|from) \S|.*rebind")
"""`reply NAME is ADDRESS`, `forwarded NAME to SERVER`, `/etc/hosts NAME is ADDRESS`, numbered or not."""


def stripped(program: str, text: str) -> tuple[str, Content]:
    """A line's text without the fields that name what was visited, and whether it named any.

    With WHOLE the text is to be refused; what it then is means nothing.
    """
    if program in _TALKERS:
        return "", Content.WHOLE
    if program == "dnsmasq" and _DNSMASQ.match(text):
        return "", Content.WHOLE
    fields = 0
    if ("=" in text or '"' in text) and _may_have_fields(text.lower()):
        text, fields = _cut(text)
    for sign, pattern in _WHOLE_SIGNS:
        if sign in text and (pattern is None or pattern.search(text)):
            return "", Content.WHOLE
    if text.startswith(_BEGINNINGS) or (text[:1] == "{" and _EVENT.search(text)):
        return "", Content.WHOLE
    return text, Content.FIELDS if fields else Content.NOTHING


def _may_have_fields(low: str) -> bool:
    for sign in _FIELD_SIGNS:
        if sign in low:
            return True
    return any(before.endswith(_BEFORE_NAME) for before in low.split("name")[:-1])


def _names_what_was_visited(key: str) -> bool:
    return key in _KEYS or (key.startswith(_BEGINS) and _BEGUN.match(key) is not None)


def _cut(text: str) -> tuple[str, int]:
    """A text without the values of these keys, which stay where they are, and how many they were."""
    if not any(map(_names_what_was_visited, {key.lower() for _, key in _KEY.findall(text)})):
        return text, 0  # a sign stood elsewhere, as it mostly does: to learn that at once is quicker
    kept, at, count = [], 0, 0
    for found in _KEY.finditer(text):
        key = found[2].lower()
        if found.start() >= at and _names_what_was_visited(key):
            value = _VALUE.match(text, found.end())
            kept.append(text[at : found.end()] + '""')
            at, count = value.end() if value else found.end(), count + 1
    return ("".join(kept) + text[at:], count) if count else (text, 0)
