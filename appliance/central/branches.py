"""The branches of a site's chain: one, or several where its box was rolled back and went on.

A thief with the box's key can make thousands, each a line. So they are told apart by their last lines alone,
and only those that are wanted are followed to their first one.
"""

from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field

from appliance.central import proofs
from appliance.central.copying import Copying, Wrong
from appliance.central.places import Central
from appliance.central.proofs import Fixing, ProvenLine
from appliance.central.refusals import Unproven
from appliance.central.tables import Fixed, Line, Site, Stored
from appliance.replication import names
from appliance.replication.names import Kind
from appliance.vault.chain import NO_LINE

MOST = 16
"""Branches that are restored at once: each has lists in memory of all that its lines fix."""


@dataclass(frozen=True)
class Head:
    """The last line of a branch. Branches have numbers from 1: the longest first, the newest of equals."""

    number: int
    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


@dataclass
class Branch:
    """One whole line of descent: hashes from the first line on; what its lines say, once they were read."""

    head: Head
    hashes: list[str]
    fixes: dict[str, Fixing] = field(default_factory=dict)
    lines: list[ProvenLine] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    faults: list[tuple[str, str]] = field(default_factory=list)


def heads(central: Central, site: Site) -> list[Head]:
    """The last line of every branch, in their order; none if no line has come."""
    known = _lines(central, site)
    came = _came(central, site)
    leaves = known.keys() - {prev for _, prev in known.values()}
    order = sorted(
        leaves, key=lambda leaf: (known[leaf][0], came.get(names.of_line(known[leaf][0], leaf), 0), leaf)
    )
    return [Head(number, known[leaf][0], leaf) for number, leaf in enumerate(reversed(order), 1)]


def branches(central: Central, site: Site, chosen: Sequence[Head]) -> list[Branch]:
    """The branches that end in these lines."""
    known = _lines(central, site)
    return [Branch(head, _descent(known, head.hash)) for head in chosen]


def read(copying: Copying, branch: Branch, proven: MutableMapping[str, ProvenLine]) -> Iterator[bytes]:
    """The bytes of a branch's lines, each proven again, as far as they follow from one another.

    Fills in what they say; `proven` holds the lines of branches read before, which share most of them. A line
    that is damaged or missing ends the branch: `faults` says where.
    """
    prev = NO_LINE
    for seq, digest in enumerate(branch.hashes):
        name = names.parse(names.of_line(seq, digest))
        try:
            content = copying.whole(name.text)
            line = proven.get(digest) or proofs.line(content, name, copying.site.public_key)
        except (Wrong, Unproven) as error:
            branch.faults.append((name.text, f"{error}; the chain is restored to the line before it"))
            return
        if (line.prev, line.entry.hash) != (prev, digest):
            branch.faults.append((name.text, "does not follow from the line before it; the chain ends there"))
            return
        prev = digest
        proven[digest] = line
        branch.lines.append(line)
        for fixing in line.fixes:
            branch.fixes[fixing.name.text] = fixing
            branch.keys.add(str(fixing.name.key_id))
        yield content


def is_fixed(central: Central, site: Site, name: str) -> bool:
    """Whether any line of the site fixes this object, of whichever branch."""
    query = Fixed.select().where(Fixed.site == site, Fixed.name == name)
    return bool(query.exists(central.database))


def _lines(central: Central, site: Site) -> dict[str, tuple[int, str]]:
    rows = Line.select(Line.hash, Line.seq, Line.prev).where(Line.site == site).tuples()
    return {digest: (seq, prev) for digest, seq, prev in rows.execute(central.database)}


def _descent(known: dict[str, tuple[int, str]], leaf: str) -> list[str]:
    hashes = []
    at = leaf
    while at in known:
        hashes.append(at)
        at = known[at][1]
    return hashes[::-1]


def _came(central: Central, site: Site) -> dict[str, int]:
    """The number of the receipt that each line was given, by name: the higher, the later it came."""
    query = Stored.select(Stored.name, Stored.sequence).where(
        Stored.site == site, Stored.kind == Kind.CHAIN.value
    )
    return dict(query.tuples().execute(central.database))
