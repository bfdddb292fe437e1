"""The entries of the menu, in their order, each with the right that it needs. Pure."""

from dataclasses import dataclass

from webui.rights import Right


@dataclass(frozen=True)
class Entry:
    """`word` is translated where it is shown."""

    key: str
    path: str
    word: str
    right: Right


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated when it is shown."""
    return text


MENU = (
    Entry("overview", "/", _("Overview"), Right.SEE_OVERVIEW),
    Entry("activity", "/activity", _("Activity"), Right.SEE_ACTIVITY),
    Entry("sources", "/sources", _("Sources and access points"), Right.SEE_SOURCES),
    Entry("connected", "/connected", _("Connected now"), Right.SEE_CONNECTED),
    Entry("retention", "/retention", _("Retention and law"), Right.SEE_RETENTION),
    Entry("replication", "/replication", _("Replication"), Right.SEE_REPLICATION),
    Entry("journal", "/journal", _("Journal"), Right.SEE_AUDIT),
    Entry("users", "/users", _("Users"), Right.SEE_USERS),
    Entry("settings", "/settings", _("Settings"), Right.CHANGE_SETTINGS),
    Entry("about", "/about", _("About"), Right.SELF),
)
