"""Ubiquiti EdgeRouter, VyOS and UniFi gateways: netfilter's packets under a rule's name, and their leases.

`[WAN_IN-default-D]IN=eth0 OUT=eth1 MAC=.. SRC=.. DST=..`: the rule's name ends in -A (accept), -D (drop) or
-R (reject); a packet is told either way (see `telling`). The rest are lines of the programs they are made of.
"""

from appliance.feeds.syslog.grammar import Grammar, Line
from appliance.feeds.syslog.grammars import dnsmasq, hostapd, isc_dhcpd, netfilter
from appliance.feeds.told import Teller

_PARTS = (netfilter.GRAMMAR, isc_dhcpd.GRAMMAR, dnsmasq.GRAMMAR, hostapd.GRAMMAR)


def _read(line: Line, teller: Teller) -> bool:
    """Each part is asked only where its program or a needle speaks for it, as the decoder does."""
    for part in _PARTS:
        spoken_for = line.program in part.programs or any(needle in line.text for needle in part.needles)
        if spoken_for and part.read(line, teller):
            return True
    return False


GRAMMAR = Grammar("edgerouter", _read)
