"""Checks what lies in store and custody against the catalogue: nothing unknown, nothing that must be gone."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from appliance.central import object_check, sites
from appliance.central.findings import PAGE, Findings
from appliance.central.places import Central
from appliance.central.tables import Erasure, Key, Site, Stored
from appliance.replication import names

_PATH = re.compile(r"([0-9a-f]{64})/(.+)\.([0-9a-f]{64})", re.ASCII)


def check_listings(central: Central, site: Site | None, findings: Findings) -> None:
    """List both, of one site or of all, and name what the catalogue does not account for."""
    prefix = f"{site.fingerprint}/" if site else ""
    known = {each.fingerprint: each for each in sites.every(central)}
    for page in _paged(path for path, _ in central.store.names(prefix)):
        _check_page(central, page, known, findings, in_custody=False)
    for page in _paged(central.custody.names(prefix)):
        _check_page(central, page, known, findings, in_custody=True)


def _check_page(
    central: Central, page: list[str], known: dict[str, Site], findings: Findings, in_custody: bool
) -> None:
    where = "custody" if in_custody else "objects"
    by_site: dict[str, list[tuple[str, str, str]]] = {}
    strangers: list[str] = []
    for path in page:
        match = _PATH.fullmatch(path)
        if not match:
            findings.fault(f"{where}/{path}", "is nothing that central keeps: it was put here")
        elif match[1] not in known:
            strangers.append(path)
        elif object_check.lies_in_custody(match[2]) != in_custody:
            what = "lies where locks and copies may keep it" if not in_custody else "is no envelope"
            findings.fault(f"{where}/{path}", what)
        else:
            by_site.setdefault(match[1], []).append((path, match[2], match[3]))
    due = _due(strangers, central.database)
    for path in strangers:
        if path in due:
            findings.notice(f"{where}/{path}", f"is of a contract that ended and goes {due[path]}")
        elif sites.known(central, path.partition("/")[0]) is None:  # or enrolled since
            findings.fault(f"{where}/{path}", "belongs to no site of the catalogue")
    for fingerprint, found in by_site.items():
        _check_found(central, known[fingerprint], found, findings, where)


def _check_found(
    central: Central, site: Site, found: list[tuple[str, str, str]], findings: Findings, where: str
) -> None:
    database = central.database
    query = Stored.select(Stored.name, Stored.sha256, Stored.state).where(
        Stored.site == site, Stored.name.in_([name for _, name, _ in found])
    )
    states = {(name, bytes(sha256).hex()): state for name, sha256, state in query.tuples().execute(database)}
    loose = [(path, name) for path, name, sha256 in found if states.get((name, sha256)) != "kept"]
    due = _due([path for path, _ in loose], database)
    destroyed = _destroyed(site, [name for _, name in loose], database) if where == "custody" else set()
    for path, name in loose:
        if not _is_here(central, path, name):
            continue  # a central at work has taken it away meanwhile
        place = f"{where}/{path}"
        if name in destroyed:
            findings.fault(place, "is the envelope of a key that was destroyed: its day could be opened")
        elif path in due:
            findings.notice(place, f"is needed no more and goes {due[path]}")
        elif any(known == name for known, _ in states):
            findings.fault(place, "must not be here any more: its row says that it went, or has other bytes")
        else:
            findings.notice(place, "has no receipt: whoever sent it was cut off, or it was put here")


def _is_here(central: Central, path: str, name: str) -> bool:
    try:
        if object_check.lies_in_custody(name):
            central.custody.get(path)
        else:
            central.store.open(path).close()
    except KeyError:
        return False
    return True


def _due(paths: list[str], database: Any) -> dict[str, str]:
    query = Erasure.select(Erasure.path, Erasure.not_before).where(Erasure.path.in_(paths))
    return {
        path: f"from {day} on" if day else "with the next tidying"
        for path, day in query.tuples().execute(database)
    }


def _destroyed(site: Site, wanted: list[str], database: Any) -> set[str]:
    """Of some envelopes those whose key was destroyed."""
    key_of = {name: _key_id(name) for name in wanted}
    query = Key.select(Key.key_id).where(
        Key.site == site, Key.key_id.in_(list(set(key_of.values()))), Key.state == "destroyed"
    )
    gone = {key_id for (key_id,) in query.tuples().execute(database)}
    return {name for name, key_id in key_of.items() if key_id in gone}


def _key_id(name: str) -> str:
    try:
        return names.parse(name).key_id or ""
    except ValueError:
        return ""


def _paged(paths: Iterable[str]) -> Iterator[list[str]]:
    page: list[str] = []
    for path in paths:
        page.append(path)
        if len(page) >= PAGE:
            yield page
            page = []
    if page:
        yield page
