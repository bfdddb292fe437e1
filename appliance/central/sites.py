"""Sites: the boxes that a central knows, by fingerprint or by the name they were enrolled under."""

import json
from typing import Any

from appliance.central.databases import locking
from appliance.central.places import Central
from appliance.central.refusals import NotAuthorised
from appliance.central.statements import Statement
from appliance.central.tables import Site
from appliance.model.errors import CentralError

ENROLLED, ENDING = "enrolled", "ending"
"""A site is ending once two operators ordered it, until nothing of it is left; then its row goes too."""
_SHORTEST = 6


def every(central: Central) -> list[Site]:
    """All sites, also those that are ending, in the order of their enrolment."""
    return list(Site.select().order_by(Site.id).execute(central.database))


def known(central: Central, fingerprint: str) -> Site | None:
    """The site of a fingerprint, if there is one."""
    return row_of(_BY_FINGERPRINT.first(central.database, fingerprint))


def locked(central: Central, site: Site) -> Site:
    """A site as it is now, its row locked until the caller's transaction ends.

    Raises NotAuthorised if its contract has ended meanwhile and it is no site any more.
    """
    found = row_of(_LOCKED.first(central.database, site.id))
    if found is None:
        raise NotAuthorised
    return found


def heard(central: Central, site: Site, at_ns: int) -> None:
    """Note that a site has been heard."""
    _HEARD.run(central.database, at_ns, site.id)


def find(central: Central, text: str) -> Site:
    """The one site that a person means: its name, or six or more digits its fingerprint begins with.

    Raises CentralError if there is none, or several.
    """
    wanted = text.strip()
    found = [site for site in every(central) if _is_meant(site, wanted)]
    if not found:
        raise CentralError(f"no site is called '{wanted}'; 'greffier central sites' lists them")
    if len(found) > 1:
        which = ", ".join(site.fingerprint[:16] for site in found)
        raise CentralError(f"'{wanted}' may be any of {which}; give the beginning of one's fingerprint")
    return found[0]


def terms_of(site: Site) -> dict[str, int]:
    """Years that each vault's records are kept, by the site's contract."""
    terms: dict[str, int] = json.loads(site.terms)
    return terms


def row_of(values: tuple[Any, ...] | None) -> Site | None:
    """A row of the statements below."""
    return None if values is None else Site(**dict(zip(_NAMES, values, strict=True)))


_NAMES = tuple(Site._meta.sorted_field_names)
_BY_FINGERPRINT = Statement(lambda _, mark: Site.select().where(Site.fingerprint == mark))
_LOCKED = Statement(lambda database, mark: locking(database, Site.select().where(Site.id == mark)))
_HEARD = Statement(lambda _, mark: Site.update(heard_at_ns=mark).where(Site.id == mark))


def _is_meant(site: Site, wanted: str) -> bool:
    digits = wanted.lower().replace(" ", "").replace(":", "")
    return site.name == wanted or (len(digits) >= _SHORTEST and site.fingerprint.startswith(digits))
