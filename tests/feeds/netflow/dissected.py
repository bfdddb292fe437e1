"""What tshark dissected, as the fields of STATED rows: nothing here looks at what our decoder made of it."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

from appliance.model.addresses import ip_halves, mac_number

Dissected = dict[str, Any]
UNSPECIFIED = ip_halves("0.0.0.0")
WRAP_MS = 1 << 32
_WITH_PORTS = {6, 17, 33, 132, 136}
_BACK = "cflow.pie.reverse."


def records(messages: list[Dissected]) -> Iterator[tuple[Dissected, Dissected]]:
    """(message, record) of every flow record, in order; records of options templates are left out."""
    options: set[tuple[str, str]] = set()
    for message in messages:
        domain = message.get("cflow.source_id", message.get("cflow.od_id", ""))
        for title, part in message.items():
            if title.startswith("pdu "):
                yield message, part
            if not isinstance(part, dict) or not title.startswith(("FlowSet ", "Set ")):
                continue
            for name, inner in part.items():
                if name.startswith("Options Template ("):
                    options.add((domain, inner["cflow.template_id"]))
                elif name.startswith("Template ("):
                    options.discard((domain, inner["cflow.template_id"]))
                elif name.startswith("Flow ") and (domain, part["cflow.flowset_id"]) not in options:
                    yield message, inner


def first_of(value: Any) -> Any:
    """A field that tshark shows twice stands for two elements of one meaning: the first counts."""
    return value[0] if isinstance(value, list) else value


def number(record: Dissected, *names: str) -> int:
    """The first of these fields that is there; 0 if none is."""
    for name in names:
        if name in record:
            return int(first_of(record[name]), 0)
    return 0


def address(record: Dissected, *names: str) -> tuple[int, int]:
    """The first of these addresses that is there and not zero; if all are, the last that is there."""
    halves = 0, 0
    for name in names:
        if name in record:
            halves = ip_halves(first_of(record[name]))
            if halves not in ((0, 0), UNSPECIFIED):
                break
    return halves


def outside(record: Dissected, *names: str) -> tuple[int, int]:
    """Likewise, of what may not be stated: an address of zero is none."""
    halves = address(record, *names)
    return (0, 0) if halves == UNSPECIFIED else halves


def mac(record: Dissected, name: str) -> int:
    return mac_number(first_of(record[name])) if name in record else 0


def stated(record: Dissected) -> dict[str, int]:
    """Fields of STATED that do not depend on the message."""
    protocol = number(record, "cflow.protocol")
    ported = protocol in _WITH_PORTS
    row = {"protocol": protocol, "end_reason": _end_reason(record)}
    for side in ("src", "dst"):
        row[f"{side}_ip_hi"], row[f"{side}_ip_lo"] = address(
            record, f"cflow.{side}addrv6", f"cflow.{side}addr"
        )
        port = f"cflow.{side}port"
        row[f"{side}_port"] = number(record, port) if ported and port in record else -1
    for side, long in (("src", "source"), ("dst", "destination")):
        hi, lo = outside(record, f"cflow.post_nat{long}_ipv4_address", f"cflow.nat_{long}")
        row[f"nat_{side}_ip_hi"], row[f"nat_{side}_ip_lo"] = hi, lo
        port = number(record, f"cflow.post_napt{long}_transport_port")
        row[f"nat_{side}_port"] = port if ported else 0
    row |= counters(record)
    vlan = number(record, "cflow.vlanid", "cflow.dot1q_vlan_id")
    row["vlan"] = vlan or -1
    row["src_mac"] = mac(record, "cflow.srcmac")
    row["dst_mac"] = mac(record, "cflow.post_dstmac")
    row["ap_mac"] = mac(record, "cflow.wtp_mac_address")
    return row


def _end_reason(record: Dissected) -> int:
    if "cflow.flow_end_reason" in record:
        reason = number(record, "cflow.flow_end_reason")
        return reason if reason <= 5 else 0
    return {2: 3, 5: 2}.get(number(record, "cflow.firewall_event"), 0)


def counters(record: Dissected) -> dict[str, int]:
    """Counters; tshark shows reverse elements (RFC 5103) as second values of the same field."""
    row = {}
    for name in ("packets", "octets"):
        fields = [f"cflow.{name}", f"cflow.initiator_{name}", f"cflow.post_{name}"]
        row[name] = number(record, *fields)
        back = number(record, f"cflow.responder_{name}", f"cflow.pie.ixia.reverse-{name[:-1]}-delta-count")
        if fields[0] in record and not back:
            back = number(record, fields[2]) or second_of(record[fields[0]])
        row[f"{name}_back"] = back
    if not row["packets"] and not row["octets"]:
        for name in ("packets", "octets"):
            total = record.get(f"cflow.permanent_{name}", "0")
            row[name] = int(first_of(total))
            row[f"{name}_back"] = row[f"{name}_back"] or second_of(total)
    return row


def taken_back(row: dict[str, int]) -> tuple[int, int]:
    """(octets, packets) of the way back, of which the row then says nothing."""
    back = row["octets_back"], row["packets_back"]
    row["octets_back"] = row["packets_back"] = 0
    return back


def second_of(value: Any) -> int:
    return int(value[1]) if isinstance(value, list) else 0


def instants(message: Dissected, record: Dissected, init_ns: int) -> tuple[set[int], set[int]]:
    """(first, last): every instant that tshark shows as beginning, and as end, in UTC ns."""
    found: tuple[set[int], set[int]] = (set(), set())
    for tree in (record, *_trees(record.get("cflow.timedelta_tree"))):
        for place, side in enumerate(("start", "end")):
            for value in _many(tree.get(f"cflow.abstime{side}")):
                found[place].add(parse(value))
            for value in _many(tree.get(f"cflow.time{side}")):
                milliseconds = round(float(value) * 1000)
                if "cflow.sysuptime" in message:
                    found[place].add(since_start(message, milliseconds))
                elif init_ns:
                    found[place].add(init_ns + milliseconds * 1_000_000)
    seen = record.get("cflow.observation_time_milliseconds")
    first, last = found[0], found[1] or ({parse(seen)} if seen else {max({exported(message), *found[0]})})
    if not first or 0 in first:  # tshark shows a sysUpTime of 0 as 1970
        apart = round(float(first_of(record.get("cflow.timedelta", "0"))) * 1_000_000_000)
        first = first - {0} | {instant - apart for instant in last}
    return first, last


def init_of(messages: list[Dissected]) -> int:
    """When the device says it began to count, in UTC ns; 0 if it does not."""
    for message in messages:
        for part in message.values():
            for inner in part.values() if isinstance(part, dict) else ():
                if isinstance(inner, dict) and "cflow.sys_init_time" in inner:
                    return parse(inner["cflow.sys_init_time"])
    return 0


def without_template(messages: list[Dissected]) -> int:
    """How many sets tshark had no template for."""
    return sum(
        "no template found" in name
        for message in messages
        for part in message.values()
        for name in (part if isinstance(part, dict) else ())
    )


def translation(record: Dissected) -> dict[str, int]:
    """Fields of TRANSLATION."""
    row = {
        "protocol": number(record, "cflow.protocol"),
        "released": number(record, "cflow.nat_event") % 2 == 0,
    }
    for name, field in (("", "srcaddr"), ("nat_", "post_natsource_ipv4_address"), ("peer_", "dstaddr")):
        row[f"{name}ip_hi"], row[f"{name}ip_lo"] = address(record, f"cflow.{field}")
    row["port"] = number(record, "cflow.srcport")
    row["nat_port"] = row["nat_port_last"] = number(record, "cflow.post_naptsource_transport_port")
    row["peer_port"] = number(record, "cflow.dstport")
    row["seen"] = parse(record["cflow.observation_time_milliseconds"])
    return row


def exported(message: Dissected) -> int:
    """When the message says it left, in UTC ns."""
    return parse(message.get("cflow.timestamp", message.get("cflow.exporttime", "")))


def since_start(message: Dissected, value_ms: int) -> int:
    """RFC 3954 section 5.1: sysUpTime and the wall clock are of one instant."""
    uptime_ms = round(float(message["cflow.sysuptime"]) * 1000)
    ago_ms = (uptime_ms - value_ms + WRAP_MS // 2) % WRAP_MS - WRAP_MS // 2
    return (exported(message) // 1_000_000 - ago_ms) * 1_000_000


def parse(text: str) -> int:
    """`Oct  9, 2015 09:47:51.489000000 UTC` to UTC ns."""
    moment, fraction = re.fullmatch(r"(.*)\.(\d{9}) UTC", first_of(text)).groups()  # type: ignore[union-attr]
    seconds = dt.datetime.strptime(" ".join(moment.split()), "%b %d, %Y %H:%M:%S")
    return int(seconds.replace(tzinfo=dt.UTC).timestamp()) * 1_000_000_000 + int(fraction)


def _trees(tree: Any) -> list[Dissected]:
    return [each for each in (tree if isinstance(tree, list) else [tree]) if isinstance(each, dict)]


def _many(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value] if value else []
