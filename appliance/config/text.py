"""The text of a new box.toml, with comments for whoever opens it."""

from collections.abc import Iterable

from appliance.config.box import BoxConfig
from appliance.config.listen import PORTS


def render(config: BoxConfig) -> str:
    """The settings as box.toml; `box.read` gives the same value back."""
    capture, inventory, replication = config.capture, config.inventory, config.replication
    return _TEMPLATE.format(
        site=_quoted(config.site),
        networks=_listed(config.client_networks),
        custodians=_listed(config.custodians),
        config=config,
        capture=capture,
        interfaces=_inline(map(_quoted, capture.interfaces)),
        vxlan_ports=_inline(map(str, capture.vxlan_ports)),
        tunnel_ends=_inline(map(_quoted, capture.tunnel_ends)),
        own=str(capture.record_own_traffic).lower(),
        listen=config.listen,
        listen_address=_quoted(config.listen.address),
        **{name: _inline(map(str, getattr(config.listen, name))) for name in PORTS},
        access_points=_inline(map(_quoted, config.statistics.access_points)),
        inventory=inventory,
        ranges=_inline(map(_quoted, inventory.ranges)),
        community=_quoted(inventory.community),
        user=_quoted(inventory.user),
        authentication_passphrase=_quoted(inventory.authentication_passphrase),
        privacy_passphrase=_quoted(inventory.privacy_passphrase),
        replication=replication,
        proxy=_quoted(replication.proxy),
        traffic_years=config.term_years["traffic"],
        source_years=config.term_years["source"],
    )


_TEMPLATE = """\
# Settings of this box. A changed value counts from the next start of 'greffier record'.

site = {site}

# The networks whose addresses are the site's clients.
client_networks = {networks}

[custody]
# Public keys (age recipients) of the custodians, and how many of them must come together to read.
# Every change is signed into the chain at the next start. Past days stay with the custodians of then.
quorum = {config.quorum}
custodians = {custodians}

[capture]
# What 'greffier record' listens to when it is told nothing else: ["mirror0", "mirror1"].
interfaces = {interfaces}
# UDP ports that carry VXLAN.
vxlan_ports = {vxlan_ports}
# Networks in which both ends of a tunnel must lie for its clients to be recorded; empty: everywhere.
# Name those of your switches and access points, so that nobody can invent clients by forging a tunnel.
tunnel_ends = {tunnel_ends}
# false: what this box itself sends and receives (replication, management) is left out, and said to be.
record_own_traffic = {own}
# An alarm is raised when a mirror gives no frame for so long: is it still configured?
silent_alarm_minutes = {capture.silent_alarm_minutes}
# Memory (MiB) in which the kernel keeps what comes while the recorder seals; 128 is 620,000 short frames.
ring_mib = {capture.ring_mib}

[listen]
# Where 'greffier listen' receives what access points and gateways tell; who may is in sources.toml.
# An empty list of ports is not listened to. "::" is every address of the box, of IPv4 as well.
address = {listen_address}
# UDP: NetFlow v5 and v9, IPFIX; sFlow; syslog; RADIUS accounting.
netflow_ports = {netflow_ports}
sflow_ports = {sflow_ports}
syslog_udp_ports = {syslog_udp_ports}
radius_ports = {radius_ports}
# TCP: IPFIX; syslog; syslog over TLS; presence reports over HTTPS.
ipfix_tcp_ports = {ipfix_tcp_ports}
syslog_tcp_ports = {syslog_tcp_ports}
syslog_tls_ports = {syslog_tls_ports}
cloudtrax_ports = {cloudtrax_ports}
# Memory (MiB): of the kernel for each UDP port, while a segment is sealed; of all that waits to be decoded.
receive_buffer_mib = {listen.receive_buffer_mib}
waiting_mib = {listen.waiting_mib}
# TCP connections at once: in all, and from one address.
connections = {listen.connections}
connections_each = {listen.connections_each}

[recording]
# A connection is closed after this silence, and written at least this often.
idle_timeout_s = {config.idle_timeout_s}
active_timeout_s = {config.active_timeout_s}
# Memory: connections followed at once (the oldest is written and dropped beyond), rows held before a seal.
flow_limit = {config.flow_limit}
row_limit = {config.row_limit}

[statistics]
# MACs of this site's own access points. Statistics name no other: a MAC on the air may be a telephone.
access_points = {access_points}
# Days that statistics are kept. They name nobody; 400 days show a month beside the same month last year.
keep_days = {config.statistics.keep_days}

[inventory]
# Networks of your access points and switches: 'greffier inventory' asks each of their addresses, alone, by
# SNMP on UDP port 161, what device is there and who its tables name. Empty: nobody is asked.
ranges = {ranges}
# SNMP v2c asks with this community; with a user it is v3, encrypted if a privacy passphrase is given.
community = {community}
user = {user}
authentication = "{inventory.authentication}"
authentication_passphrase = {authentication_passphrase}
privacy = "{inventory.privacy}"
privacy_passphrase = {privacy_passphrase}
# How much all of them are asked together.
requests_per_second = {inventory.requests_per_second}

[replication]
# How 'greffier replicate' sends to the centrals that 'greffier enrol' made known.
# The site's HTTP proxy, if there is no other way out: "http://proxy.example:3128". It sees ciphertext only.
# The line behind it cannot be measured: set rate_kbit then, or the floor is what replication takes.
proxy = {proxy}
# kbit/s at most; 0: the smaller of a fifth of the line and 2 Mbit/s. What is granted even on a busy line.
rate_kbit = {replication.rate_kbit}
floor_kbit = {replication.floor_kbit}
# When segments may go, "01:00-06:00"; empty: always. What secures the last hour goes at any time.
hours = "{replication.hours}"
time_zone = "{replication.time_zone}"
# How packets say that others go first: "LE", "CS1", "none", or "auto": LE where the line takes it, else CS1.
dscp = "{replication.dscp}"

[term_years]
# Calendar years after which a day is destroyed. The French legal term is one year for both.
traffic = {traffic_years}
source = {source_years}
"""


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _listed(texts: Iterable[str]) -> str:
    return "[\n" + "".join(f"    {_quoted(text)},\n" for text in texts) + "]"


def _inline(values: Iterable[str]) -> str:
    return f"[{', '.join(values)}]"
