"""What to set on an access point or gateway so that it speaks to the box, device by device. Pure.

The settings are those of `appliance/feeds/README.md`, which says where they come from; `{box}` is the box's
address. What a step says is translated; what is pasted is the same in every language.
"""

# ruff: noqa: E501 - what is pasted is one line, and so is what is translated

from dataclasses import dataclass


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated when it is shown."""
    return text


@dataclass(frozen=True)
class Step:
    """What to do, and what to paste there, if anything."""

    said: str
    pasted: str = ""


@dataclass(frozen=True)
class Guide:
    """One make of device. `tells` and `lacks` are what the box learns by it and what it does not."""

    key: str
    name: str
    steps: tuple[Step, ...]
    tells: str
    lacks: str = ""


GUIDES: tuple[Guide, ...] = (
    Guide(
        "openwrt",
        "OpenWrt",
        (
            Step(
                _("Send the log to the box, with the leases and without name look-ups:"),
                """uci set system.@system[0].log_ip='{box}'
uci set system.@system[0].log_port='514'
uci set system.@system[0].log_proto='udp'
uci set system.@system[0].timezone='CET-1CEST,M3.5.0,M10.5.0/3'
uci set dhcp.@dnsmasq[0].logdhcp='1'
uci set dhcp.@dnsmasq[0].logqueries='0'
uci commit
/etc/init.d/log restart && /etc/init.d/dnsmasq restart""",
            ),
            Step(
                _("Send the connections, taken on the side of the clients and not on that of the internet:"),
                """opkg update && opkg install softflowd
uci set softflowd.@softflowd[0].enabled='1'
uci set softflowd.@softflowd[0].interface='br-lan'
uci set softflowd.@softflowd[0].host_port='{box}:2055'
uci set softflowd.@softflowd[0].export_version='9'
uci set softflowd.@softflowd[0].sampling_rate='0'
uci set softflowd.@softflowd[0].timeout='maxlife=60'
uci commit softflowd && /etc/init.d/softflowd restart""",
            ),
        ),
        _("who was connected, under which address, to whom"),
        _("the address after translation (NAT)"),
    ),
    Guide(
        "mikrotik",
        "MikroTik",
        (
            Step(
                _("RouterOS 7: paste into the terminal:"),
                """/system logging action add name=greffier target=remote remote={box} remote-port=514 bsd-syslog=yes syslog-facility=local0
/system logging add topics=dhcp,info action=greffier
/system logging add topics=wireless,info action=greffier
/system logging add topics=caps,info action=greffier
/ip traffic-flow set enabled=yes interfaces=bridge active-flow-timeout=1m inactive-flow-timeout=15s packet-sampling=no
/ip traffic-flow target add dst-address={box} port=2055 version=ipfix
/ip traffic-flow ipfix set nat-events=yes
/system ntp client set enabled=yes""",
            ),
            Step(_("Switch FastTrack off for the network of the clients: what it forwards is not seen.")),
        ),
        _("everything, the address after translation (NAT) included"),
        _("what the switch chip forwards by itself"),
    ),
    Guide(
        "unifi",
        "Ubiquiti UniFi",
        (
            Step(
                _(
                    "Settings > CyberSecure > Traffic Logging: Activity Logging “SIEM Server”, address {box}, "
                    "port 514, contents “Clients” and “Devices”. Leave security detections and content "
                    "filtering off."
                )
            ),
            Step(
                _(
                    "On the same page, NetFlow (IPFIX): server {box}, port 2055, version 10, sampling off, the "
                    "networks of the guests."
                )
            ),
            Step(
                _(
                    "Access points speak for themselves: declare the network of their addresses in one go, "
                    "like 192.168.1.0/24."
                )
            ),
        ),
        _("who was connected, on which access point, under which address, to whom"),
        _("the address after translation (NAT)"),
    ),
    Guide(
        "pfsense",
        "pfSense",
        (
            Step(
                _(
                    "Status > System Logs > Settings > Remote Logging: server {box}:514, contents “Firewall "
                    "Events” and “DHCP Events”, format syslog (RFC 5424)."
                )
            ),
            Step(
                _(
                    "pfSense Plus: Firewall > Packet Flow Data, IPFIX to {box}:2055. pfSense CE: package "
                    "softflowd, interface LAN, host {box}, port 2055, version 9, maximum lifetime 60."
                )
            ),
            Step(_("Tick “Log packets that are handled by this rule” on the rule that lets the guests out.")),
        ),
        _("under which address, to whom"),
        _("the access point"),
    ),
    Guide(
        "opnsense",
        "OPNsense",
        (
            Step(
                _(
                    "System > Settings > Logging > Remote: UDP(4), applications filter, dhcpd, kea-dhcp4 and "
                    "dnsmasq, host {box}, port 514, rfc5424."
                )
            ),
            Step(
                _(
                    "Reporting > NetFlow: listening interfaces LAN only, egress only off, version 9, "
                    "destination {box}:2055."
                )
            ),
            Step(_("Tick “Log packets that are handled by this rule” on the rule that lets the guests out.")),
        ),
        _("under which address, to whom"),
        _("the access point, the address after translation (NAT)"),
    ),
    Guide(
        "fortigate",
        "FortiGate",
        (
            Step(
                _(
                    "Paste into the command line; 1 stands for the number of the rule that lets the guests out:"
                ),
                """config log syslogd setting
    set status enable
    set server "{box}"
    set port 514
    set mode udp
    set format default
end
config log syslogd filter
    set severity information
    set forward-traffic enable
    set local-traffic disable
    set multicast-traffic disable
    set sniffer-traffic disable
end
config firewall policy
    edit 1
        set logtraffic all
        set logtraffic-start disable
    next
end""",
            ),
            Step(_("Leave the logs of web filter and DNS filter off: the law forbids keeping them.")),
        ),
        _("everything, the address after translation (NAT) included"),
    ),
    Guide(
        "aruba",
        "Aruba",
        (
            Step(
                _("Instant and AOS-10; put your own secret, and the same one into the source here:"),
                """syslog-server {box}
syslog-level notice user
syslog-level info wireless
wlan auth-server greffier
    ip {box}
    acctport 1813
    key YOUR-SECRET
wlan ssid-profile GUESTS
    radius-accounting
    radius-interim-accounting-interval 10""",
            ),
        ),
        _("who was connected, on which access point, under which name"),
        _("to whom: add a mirror port or the NetFlow of the gateway"),
    ),
    Guide(
        "omada",
        "TP-Link Omada",
        (
            Step(
                _(
                    "Settings > Site > Services > Remote Logging: syslog server {box}, port 514, “Client detail "
                    "logs” on."
                )
            ),
            Step(
                _(
                    "Settings > Profiles > RADIUS Profile: accounting on, {box}, port 1813, interim update 600 "
                    "seconds, a secret of 16 characters or more, the same one in the source here."
                )
            ),
        ),
        _("who was connected, on which access point, under which address"),
        _("to whom: add a mirror port or the NetFlow of the gateway"),
    ),
    Guide(
        "others",
        "Ruckus, Cisco, Meraki, EdgeRouter",
        (
            Step(
                _(
                    "Ruckus: Administer > Syslog: {box}, port 514, events of clients; RADIUS accounting to "
                    "{box}:1813, interim 10 minutes."
                )
            ),
            Step(_("Cisco 9800:"), "logging host {box}\nlogging trap informational"),
            Step(
                _("Cisco WLC:"),
                "config logging syslog host {box}\nconfig logging syslog level informational",
            ),
            Step(
                _(
                    "Meraki: Network-wide > General > Reporting: syslog server {box}, port 514, roles “Flows”, "
                    "“Wireless event log” and “Appliance event log”. Never the role “URLs”."
                )
            ),
            Step(
                _("EdgeRouter:"),
                """set system syslog host {box} facility all level info
set system flow-accounting interface switch0
set system flow-accounting netflow server {box} port 2055
set system flow-accounting netflow version 9
set system flow-accounting netflow timeout max-active-life 60""",
            ),
        ),
        _("who was connected, on which access point; some of them also to whom"),
    ),
    Guide(
        "radius",
        "RADIUS",
        (
            Step(
                _(
                    "Any device: accounting server {box}, port 1813, a secret of 16 characters or more, "
                    "interim updates every 10 minutes, Called-Station-Id as “AP-MAC:SSID”. Put the same secret "
                    "into the source here."
                )
            ),
        ),
        _("who was connected, on which access point, under which name, from when until when"),
        _("to whom: add a mirror port or the NetFlow of the gateway"),
    ),
    Guide(
        "presence",
        "CloudTrax, Datto, EnGenius",
        (
            Step(
                _(
                    "Configure > Advanced > Presence Reporting: server location https://{box}:8443/cloudtrax, a "
                    "key of 16 characters or more, every 30 seconds. Put the same key into the source here as "
                    "its secret."
                )
            ),
        ),
        _("which device was on which access point; devices that only pass by are not kept"),
        _("under which address and to whom: add a mirror port or the NetFlow of the gateway"),
    ),
    Guide(
        "tls",
        "rsyslog (TLS)",
        (
            Step(
                _("Encrypted log lines, port 6514; the fingerprint is shown on the page of sources:"),
                """action(type="omfwd" target="{box}" port="6514" protocol="tcp" StreamDriver="gtls" StreamDriverMode="1"
       StreamDriverAuthMode="x509/fingerprint" StreamDriverPermittedPeers="SHA256:...")""",
            ),
        ),
        _("what the lines say, safe from eavesdroppers"),
    ),
)


def guide_of(key: str) -> Guide | None:
    """The guide of a make; None if there is none."""
    return next((guide for guide in GUIDES if guide.key == key), None)
