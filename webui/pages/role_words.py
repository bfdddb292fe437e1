"""Roles, what they are for, and what may be granted beyond them."""

from webui.rights import GRANTABLE, Role
from webui.vocabulary import GRANTED, ROLES, word
from webui.wording import said


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated when it is shown."""
    return text


_DESCRIPTIONS = {
    Role.OPERATOR: _("Installs and maintains the box: may do everything, users as well."),
    Role.CLIENT_TECHNICAL: _("Looks after the Wi-Fi: sources, connected devices, replication."),
    Role.CLIENT_MANAGEMENT: _("Answers for the site: sees figures, the law, users and the journal."),
    Role.SITE_MANAGER: _("Runs the place: sees whether all is well, and the figures."),
    Role.AUDITOR: _("Checks: sees everything but devices, changes nothing."),
    Role.CUSTODIAN: _("Keeps a key: sees the law, the holds and the journal."),
}


def roles(language: str) -> dict[str, tuple[str, str]]:
    """Word and description of each role, in this language."""
    return {
        role.value: (word(language, ROLES, role), said(language, what))
        for role, what in _DESCRIPTIONS.items()
    }


def extras(language: str) -> dict[str, str]:
    """The word of each right that may be granted."""
    return {right.value: word(language, GRANTED, right) for right in sorted(GRANTABLE)}
