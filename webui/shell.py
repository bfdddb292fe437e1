"""What every page shows besides its own: menu, names, what was typed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webui.menu import MENU
from webui.protection import token_of
from webui.rights import Person, Right, may
from webui.routing import Refusal
from webui.site import Site

_NOT_GIVEN_BACK = ("csrf", "password", "code", "secret", "passphrase", "community", "key")
"""Fields whose name has one of these in it are typed anew."""


@dataclass(frozen=True)
class Item:
    """An entry of the menu, as shown to one person."""

    key: str
    path: str
    word: str
    active: bool


class Given(dict[str, str]):
    """What was typed into a form that is shown again; empty where nothing was."""

    def __missing__(self, name: str) -> str:
        return ""


def values(site: Site, person: Person | None, secret: str, path: str, menu: str) -> dict[str, Any]:
    """What `base.html` and every template may use. `menu` is the entry that is marked."""
    client = site.accounts.client()

    def has(right: str) -> bool:
        return person is not None and may(person, Right(right), client)

    return {
        "person": person,
        "menu": tuple(
            Item(entry.key, entry.path, entry.word, entry.key == menu) for entry in MENU if has(entry.right)
        ),
        "site_name": client,
        "branding": site.settings.values().branding,
        "csrf": token_of(secret),
        "path": path,
        "may": has,
        "notice": "",
        "now_ns": site.clock(),
        "refusal": None,
        "given": Given(),
    }


def given_back(fields: Mapping[str, str], refusal: Refusal) -> dict[str, Any]:
    """What a form that was refused shows: why, and what was typed, but for what nobody should see."""
    kept = Given(
        (name, value)
        for name, value in fields.items()
        if not any(word in name.lower() for word in _NOT_GIVEN_BACK)
    )
    return {"refusal": refusal, "given": kept}
