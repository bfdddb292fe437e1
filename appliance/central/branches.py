"""The branches of a site's chain: one, or several where its box was rolled back and went on."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from appliance.central import proofs
from appliance.central.copying import Copying, Wrong
from appliance.central.places import Central
from appliance.central.proofs import Fixing, ProvenLine
from appliance.central.refusals import Unproven
from appliance.central.tables import Line, Site, Stored
from appliance.replication import names
from appliance.replication.names import Kind
from appliance.vault.chain import NO_LINE


@dataclass
class Branch:
    """One whole line of descent: hashes from the first line on; what its lines say, once they were read."""

    hashes: list[str]
    fixes: dict[str, Fixing] = field(default_factory=dict)
    lines: list[ProvenLine] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    faults: list[tuple[str, str]] = field(default_factory=list)


def branches(central: Central, site: Site) -> list[Branch]:
    """Every branch, the one that grew last first; none if no line has come."""
    rows = Line.select(Line.hash, Line.seq, Line.prev).where(Line.site == site).tuples()
    known = {digest: (seq, prev) for digest, seq, prev in rows.execute(central.database)}
    leaves = known.keys() - {prev for _, prev in known.values()}
    found = [(_grown(central, site, known[leaf][0], leaf), _descent(known, leaf)) for leaf in leaves]
    return [Branch(hashes) for _, hashes in sorted(found, reverse=True)]


def read(copying: Copying, branch: Branch, limit: int | None = None) -> Iterator[bytes]:
    """The bytes of a branch's lines, each proven again, as far as they follow from one another.

    Fills in what they say. A line that is damaged or missing ends the branch: `faults` says where.
    """
    prev = NO_LINE
    for seq, digest in enumerate(branch.hashes):
        name = names.parse(names.of_line(seq, digest))
        try:
            content = copying.whole(name.text)
            line = proofs.line(content, name, copying.site.public_key)
        except (Wrong, Unproven) as error:
            branch.faults.append((name.text, f"{error}; the chain is restored to the line before it"))
            return
        if (line.prev, line.entry.hash) != (prev, digest):
            branch.faults.append((name.text, "does not follow from the line before it; the chain ends there"))
            return
        prev = digest
        branch.lines.append(line)
        for fixing in line.fixes:
            branch.fixes[fixing.name.text] = fixing
            branch.keys.add(str(fixing.name.key_id))
        yield content


def _descent(known: dict[str, tuple[int, str]], leaf: str) -> list[str]:
    hashes = []
    at = leaf
    while at in known:
        hashes.append(at)
        at = known[at][1]
    return hashes[::-1]


def _grown(central: Central, site: Site, seq: int, digest: str) -> int:
    """The number of the receipt that a line was given: the higher, the later it came."""
    query = Stored.select(Stored.sequence).where(
        Stored.site == site, Stored.name == names.of_line(seq, digest), Stored.kind == Kind.CHAIN.value
    )
    return int(query.scalar(central.database) or 0)
