"""What the texts beside recovered records say, in French and in English: each file, each column. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Told:
    """What is filled in: whose data, the head of the chain, the period asked for, rows by folder, lacks."""

    site: str
    box: str
    head: str
    since: str | None
    until: str | None
    rows: Mapping[str, int]
    missing: int
    parts: bool
    traffic_columns: Sequence[str]
    binding_columns: Sequence[str]


COLUMNS: Mapping[str, tuple[str, str]] = {
    "first_seen": ("premier instant", "first instant"),
    "last_seen": ("dernier instant", "last instant"),
    "client_mac": ("adresse MAC du client", "the client's MAC"),
    "client_ip": ("adresse IP du client", "the client's IP address"),
    "client_port": ("port du client", "the client's port"),
    "peer_mac": ("adresse MAC de l'autre côté", "MAC of the other side"),
    "peer_ip": ("adresse IP de destination", "IP address of the destination"),
    "peer_port": ("port de destination", "port of the destination"),
    "protocol": ("numéro de protocole IP (6 TCP, 17 UDP)", "IP protocol number (6 TCP, 17 UDP)"),
    "vlan": ("VLAN (802.1Q)", "VLAN (802.1Q)"),
    "ap_mac": ("adresse MAC du point d'accès", "MAC of the access point"),
    "behind_router": (
        "vrai si client_mac est celle d'un routeur entre le client et l'observation",
        "true if client_mac is that of a router between the client and where it was seen",
    ),
    "packets_out": ("paquets envoyés par le client", "packets that the client sent"),
    "bytes_out": ("octets envoyés par le client", "octets that the client sent"),
    "packets_in": ("paquets reçus par le client", "packets that the client got"),
    "bytes_in": ("octets reçus par le client", "octets that the client got"),
    "nat_ip": ("adresse IP publique après NAT", "public IP address after NAT"),
    "nat_port": ("port public après NAT", "public port after NAT"),
    "nat_port_last": ("dernier port, si un bloc de ports", "last port, of a block of ports"),
    "end_reason": (
        "fin : 1 silence, 2 durée, 3 fin vue, 4 arrêt, 5 ressources (IPFIX flowEndReason)",
        "end: 1 silence, 2 active timeout, 3 end seen, 4 forced, 5 resources (IPFIX flowEndReason)",
    ),
    "received": ("réception du dernier message par le boîtier", "when the last message reached the box"),
    "by_receipt": (
        "vrai si l'horloge de l'équipement n'était pas croyable",
        "true if the device's clock could not be believed",
    ),
    "source": ("ce qui a vu ou dit cela", "what saw or told this"),
    "ssid": ("nom du réseau Wi-Fi", "name of the Wi-Fi network"),
    "user": ("identifiant de l'utilisateur", "the user's name"),
    "session": ("numéro de session RADIUS", "RADIUS session"),
    "class": ("attribut RADIUS Class", "RADIUS Class"),
    "evidence": ("preuve (radius, dhcp, arp, nd...)", "evidence (radius, dhcp, arp, nd, ...)"),
    "mac_evidence": ("preuve de la MAC jointe", "evidence of a MAC that was joined"),
    "other_macs": ("autres MAC qui prétendaient à l'adresse", "other MACs that claimed the address"),
    "ip": ("adresse IP tenue", "IP address held"),
    "mac": ("adresse MAC qui la tenait", "MAC that held it"),
    "from": ("début", "beginning"),
    "until": ("fin", "end"),
    "randomised": ("vrai si la MAC est administrée localement", "true if the MAC is locally administered"),
    "port": ("port intérieur (NAT)", "inside port (NAT)"),
}
"""Every column of traffic and bindings: French, English."""


def french(told: Told) -> str:
    """LISEZMOI.txt."""
    traffic, bindings = told.rows.get("traffic", 0), told.rows.get("bindings", 0)
    records = "les enregistrements tels qu'écrits" if told.parts else "une ligne par connexion"
    return f"""Toutes les données du site, en formats ouverts
{told.site}
boîtier {told.box}
tête de la chaîne {told.head}
période : {_fr_period(told)}

traffic/JOUR.parquet, .csv    {records} ({traffic} lignes)
bindings/JOUR.parquet, .csv   qui tenait quelle adresse, de quand à quand ({bindings} lignes)
coverage.jsonl     ce qui a été vu et ce qui ne l'a pas été ; une période peut être dite plusieurs fois
seals.jsonl        les scellés et les journaux fixés, avec le condensat de chaque fichier
destroyed.jsonl    les certificats de destruction : ces jours ne sont plus lisibles par personne
missing.jsonl      ce qui devrait être là et n'y est pas ({told.missing})
chain/chain.jsonl  la chaîne signée, telle quelle
receipts/          les reçus signés des dépôts centraux, tels quels
statistics/        les totaux par heure et par jour, qui ne nomment personne
settings/          les réglages du boîtier (sans secret) et l'inventaire des équipements
summary.json       les chiffres de cette page
SHA256SUMS         se vérifie par : sha256sum -c SHA256SUMS

JOUR est le jour UTC où la ligne commence ; JOUR-2 et suivants complètent JOUR. Une ligne est dans un seul
fichier. Les instants sont en UTC, à la nanoseconde (ISO 8601 dans les CSV). Une valeur inconnue est vide.
Les CSV suivent la RFC 4180 en UTF-8 ; les Parquet sont en clair, compressés par zstd.
Ces fichiers sont en clair : qui les a les lit. Gardez-les en conséquence.

Colonnes de traffic
{_table(told.traffic_columns, 0)}

Colonnes de bindings (preuve « nat » : une traduction d'adresse, de ip et port vers nat_ip et nat_port)
{_table(told.binding_columns, 0)}
"""


def english(told: Told) -> str:
    """README.txt."""
    traffic, bindings = told.rows.get("traffic", 0), told.rows.get("bindings", 0)
    records = "records as they were written" if told.parts else "one row a connection"
    return f"""All of a site's data, in open formats
{told.site}
box {told.box}
head of the chain {told.head}
period: {_en_period(told)}

traffic/DAY.parquet, .csv     {records} ({traffic} rows)
bindings/DAY.parquet, .csv    who held which address, from when until when ({bindings} rows)
coverage.jsonl     what was seen and what was not; a period may be stated several times
seals.jsonl        seals and journals that were fixed, with the hash of each file
destroyed.jsonl    certificates of destruction: nobody can read these days any more
missing.jsonl      what should be here and is not ({told.missing})
chain/chain.jsonl  the signed chain as it lies
receipts/          signed receipts of the central stores as they lie
statistics/        totals by hour and by day, which name nobody
settings/          the box's settings (no secrets) and the inventory of devices
summary.json       the figures of this page
SHA256SUMS         is checked by: sha256sum -c SHA256SUMS

DAY is the UTC day on which a row begins; DAY-2 and so on complete DAY. A row is in one file only. Instants
are UTC, in nanoseconds (ISO 8601 in CSV). A value that is not known is empty. CSV is as RFC 4180 has it, in
UTF-8; Parquet is plain, compressed with zstd.
These files are in clear: whoever has them reads them. Keep them accordingly.

Columns of traffic
{_table(told.traffic_columns, 1)}

Columns of bindings (evidence "nat": a translation, from ip and port to nat_ip and nat_port)
{_table(told.binding_columns, 1)}
"""


def _table(names: Sequence[str], language: int) -> str:
    return "\n".join(f"  {name:<15} {COLUMNS[name][language]}" for name in names)


def _fr_period(told: Told) -> str:
    if told.since is None and told.until is None:
        return "tout ce qui est gardé"
    return f"de {told.since or 'l’origine'} à {told.until or 'la fin'}"


def _en_period(told: Told) -> str:
    if told.since is None and told.until is None:
        return "all that is kept"
    return f"from {told.since or 'the beginning'} to {told.until or 'the end'}"
