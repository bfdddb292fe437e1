"""Every grammar there is; one line each, in the order of their names."""

from appliance.feeds.syslog.grammar import Grammar
from appliance.feeds.syslog.grammars import (
    conntrack,
    dnsmasq,
    hostapd,
    isc_dhcpd,
    kea,
    netfilter,
    openwrt,
    ulogd,
)

GRAMMARS: tuple[Grammar, ...] = (
    conntrack.GRAMMAR,
    dnsmasq.GRAMMAR,
    hostapd.GRAMMAR,
    isc_dhcpd.GRAMMAR,
    kea.GRAMMAR,
    netfilter.GRAMMAR,
    openwrt.GRAMMAR,
    ulogd.GRAMMAR,
)
