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

_SIGNS = (
    "://", "http/", "mozilla/", "tcp_", "query", "question", "request", "url", "uri=", "uri\"",
    "sni", "agent", "domain", "host=", "host\"", "hostname", "dstname", "server_name", "servername",
    "rrname", "qname", "cname", "filename", "refer", "web-proxy", "event_type", "dns",
    "get ", "post ", "head ", "connect ", ". in ", " in a",
)  # fmt: skip
"""One of these stands in every line that the patterns below find; looking for them is quicker."""

_KEYS = (
    r"(?:dst_?)?(?:url|uri|urlpath|hostname|hostnames|host|domain|dnsname)|dhost|dstname|dsthost|dest_?name"
    r"|destinationdnsdomain|(?:ssl_?|tls_?)?(?:sni|servername|server_name)|qname|rrname|query(?:_?\d+)?|queryname"
    r"|(?:c|scert)?cname|scert\w*|(?:http_?)?(?:user_?agent|agent|referer|referrer|refer|referralurl|host|method)"
    r"|requestclientapplication|request(?:context|method|url)?|filename|keyword|unifidomain|fqdn"
)
_FIELD = re.compile(
    rf"(?<![\w\"-])(?:{_KEYS})=(?:\"(?:[^\"\\]|\\.)*\"?|'[^']*'?|[^\s,;|]*),?"
    rf"|\"(?:{_KEYS})\"\s*:\s*(?:\"(?:[^\"\\]|\\.)*\"?|[^\s,}}\]]*),?",
    re.IGNORECASE,
)
"""`key=value`, `key="value"` and `"key": "value"`."""

_WHOLE = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]{1,15}://"
    r"|\b(?:GET|POST|HEAD|PUT|DELETE|OPTIONS|PATCH|CONNECT) [^\s]*[./:]"
    r"|\bHTTP/[123]\b|\bMozilla/\d|\bTCP_[A-Z_]{3,40}/\d{3}"
    r"|\bquery(?:\[|: ?\S+ (?:IN|CH)\b)|\bquestion:|dns query from|\bquery from \S+:"
    r"|\w\.[\w.-]* (?:IN (?:A|AAAA|HTTPS|SVCB|PTR|MX|TXT|SRV|NS|SOA|ANY)|(?:A|AAAA|HTTPS|PTR|MX|TXT) IN)\b"
    r"|^(?:urls|web-proxy[\w,]*|dns(?:,\w+)*) "
    r"|\"event_type\" ?: ?\"(?:http|dns|tls|quic|fileinfo|smtp|mdns)\""
)
"""URLs, requests and user agents, results of proxies, questions to name servers (dnsmasq, BIND, RouterOS)."""

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
    low = text.lower()
    for sign in _SIGNS:
        if sign in low:
            break
    else:
        return text, Content.NOTHING
    left, fields = _FIELD.subn("", text)
    if _WHOLE.search(left):
        return "", Content.WHOLE
    return left, Content.FIELDS if fields else Content.NOTHING
