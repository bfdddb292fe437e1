"""Lines to what they tell, as plain Python values that a test can compare with what a tool says."""

from collections.abc import Iterable, Sequence

import numpy as np

from appliance.feeds.syslog.decoder import SyslogDecoder
from appliance.feeds.told import Messages, Told
from appliance.model.addresses import ip_text, mac_text
from appliance.model.instants import NS
from appliance.model.texts import Texts


def tell(
    lines: Iterable[str | bytes],
    received_ns: int = 0,
    reference_ns: int = 0,
    time_zone: str = "Europe/Paris",
    grammar: str = "",
    ap_mac: int = 0,
    texts: Texts | None = None,
) -> Told:
    """What lines tell that all came at one instant (0: out of a file last written at `reference_ns`)."""
    texts = Texts() if texts is None else texts
    decoder = SyslogDecoder(texts, time_zone, grammar, ap_mac, lambda: reference_ns)
    payloads = [line.encode() if isinstance(line, str) else line for line in lines]
    return decoder.decode(Messages(np.full(len(payloads), received_ns, np.int64), payloads))


def ips(rows: np.ndarray, name: str) -> list[str]:
    """The addresses of a column as text."""
    return [ip_text(int(row[f"{name}_hi"]), int(row[f"{name}_lo"])) for row in rows]


def claims(told: Told) -> list[tuple[str, str, int, bool]]:
    """(address, MAC, seconds of the lease or 0, given back) of each claim."""
    return [
        (
            ip_text(int(row["ip_hi"]), int(row["ip_lo"])),
            mac_text(int(row["mac"])),
            (int(row["until"]) - int(row["seen"])) // NS if row["until"] else 0,
            bool(row["released"]),
        )
        for row in told.claims
    ]


def flows(told: Told, *names: str) -> list[tuple[object, ...]]:
    """(source, port, destination, port, protocol, and the columns named) of each flow."""
    columns = [told.flows[name].tolist() for name in ("src_port", "dst_port", "protocol", *names)]
    src_port, dst_port, *others = columns
    return list(
        zip(ips(told.flows, "src_ip"), src_port, ips(told.flows, "dst_ip"), dst_port, *others, strict=True)
    )


def stored(told: Told, texts: Texts) -> bytes:
    """Everything that could reach a disk: the rows and the texts that they name."""
    words: Sequence[str] = texts.all()
    rows = told.flows.tobytes() + told.claims.tobytes() + told.translations.tobytes()
    return rows + "\0".join(words).encode()
