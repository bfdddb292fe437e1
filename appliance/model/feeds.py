"""The kinds of feed, and who may speak: a declared source."""

from dataclasses import dataclass, field
from enum import StrEnum


class FeedKind(StrEnum):
    """What a feed speaks."""

    NETFLOW = "netflow"  # NetFlow v5, v9 and IPFIX: told apart by their version number
    SFLOW = "sflow"
    SYSLOG = "syslog"
    RADIUS = "radius"
    CLOUDTRAX = "cloudtrax"


WITH_SECRET = frozenset({FeedKind.RADIUS, FeedKind.CLOUDTRAX})
"""What anybody could forge without the secret that box and device share."""

OVER_TLS = frozenset({FeedKind.SYSLOG, FeedKind.CLOUDTRAX})
"""What has a way in where a certificate can be shown."""


@dataclass(frozen=True)
class DeclaredSource:
    """Who may speak: matched by the address a message comes from, or by the MAC of its sender.

    `addresses` are networks in canonical text, `mac` the sender's own MAC where its address changes,
    `ap_macs` the access points it speaks for and `ap_labels` their names in the same order (or none at all),
    all as text. No `kinds`: all. `time_zone` (IANA) is of lines that carry no zone, `grammar` the name of its
    lines' grammar where it is not recognised. `secret` is the RADIUS or CloudTrax secret, `certificate` the
    SHA-256 of the certificate it must show: its syslog then counts over TLS only.
    """

    label: str
    network: str = ""
    addresses: tuple[str, ...] = ()
    mac: str = ""
    ap_macs: tuple[str, ...] = ()
    kinds: tuple[FeedKind, ...] = ()
    time_zone: str = "Europe/Paris"
    grammar: str = ""
    secret: str = field(default="", repr=False)
    certificate: str = ""
    ap_labels: tuple[str, ...] = ()

    def speaks(self, kind: FeedKind) -> bool:
        """Whether it may send feeds of this kind; what a secret protects, only where there is one."""
        if self.kinds:
            return kind in self.kinds
        return bool(self.secret) or kind not in WITH_SECRET

    def must_show_certificate(self, kind: FeedKind) -> bool:
        """Whether a feed of this kind counts only where its certificate was shown with it."""
        return bool(self.certificate) and kind in OVER_TLS
