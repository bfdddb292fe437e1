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

_KEYS = (
    r"(?:dst_?)?(?:url|uri|urlpath|hostname|hostnames|host|domain|dnsname)|dhost|dstname|dsthost|dest_?name"
    r"|destinationdnsdomain|(?:ssl_?|tls_?)?(?:sni|servername|server_name)|qname|rrname|query(?:_?\d+)?|queryname"
    r"|(?:c|scert)?cname|scert\w*|(?:http_?)?(?:user_?agent|agent|referer|referrer|refer|referralurl|host)"
    r"|requestclientapplication|request(?:context|method|url)?|filename|keyword|unifidomain|fqdn"
)
_FIELD = re.compile(
    rf"(?<![\w\"-])(?:{_KEYS})=(?:\"(?:[^\"\\]|\\.)*\"?|'[^']*'?|[^\s,;|]*),?"
    rf"|\"(?:{_KEYS})\"\s*:\s*(?:\"(?:[^\"\\]|\\.)*\"?|[^\s,}}\]]*),?",
    re.IGNORECASE,
)
"""`key=value`, `key="value"` and `"key": "value"`."""

_FIELD_SIGNS = ("url", "uri", "host", "sni", "domain", "agent", "que", "refer", "fqdn", "keyword", "scert")
_NAME_SIGNS = (
    "servername", "server_name", "dstname", "destname", "dest_name", "qname", "rrname", "cname", "dnsname",
    "filename", "queryname",
)  # fmt: skip
"""In lower case, one of these stands in every key there is; to look for them first is much quicker."""

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
        text, fields = _FIELD.subn("", text)
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
    return "name" in low and any(sign in low for sign in _NAME_SIGNS)
