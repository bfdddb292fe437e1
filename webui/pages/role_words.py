"""Roles and extras in words."""

from webui.rights import GRANTABLE, Right, Role
from webui.wording import said


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated when it is shown."""
    return text


ROLES = {
    Role.OPERATOR: (
        _("Operator"),
        _("Installs and maintains the box: may do everything, users as well."),
    ),
    Role.CLIENT_TECHNICAL: (
        _("Technical contact"),
        _("Looks after the Wi-Fi: sources, connected devices, replication."),
    ),
    Role.CLIENT_MANAGEMENT: (
        _("Management"),
        _("Answers for the site: sees figures, the law, users and the journal."),
    ),
    Role.SITE_MANAGER: (_("Site manager"), _("Runs the place: sees whether all is well, and the figures.")),
    Role.AUDITOR: (_("Auditor"), _("Checks: sees everything but devices, changes nothing.")),
    Role.CUSTODIAN: (_("Custodian"), _("Keeps a key: sees the law, the holds and the journal.")),
}

EXTRAS = {
    Right.SEE_CONNECTED: _("See connected devices"),
    Right.SEE_REPLICATION: _("See replication"),
    Right.SEE_AUDIT: _("See the journal"),
    Right.CHANGE_SOURCES: _("Declare and forget sources"),
    Right.CHANGE_HOLDS: _("Place and end holds"),
}


def roles(language: str) -> dict[str, tuple[str, str]]:
    """Word and description of each role, in this language."""
    return {role.value: (said(language, word), said(language, what)) for role, (word, what) in ROLES.items()}


def extras(language: str) -> dict[str, str]:
    """The word of each right that may be granted."""
    return {right.value: said(language, EXTRAS[right]) for right in sorted(GRANTABLE)}
