"""Who may do what on the page: roles, rights and the clients an account is for. Pure.

The table of the documentation is printed out of `TABLE`, and every route is tested against it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Right(StrEnum):
    """One thing that a route needs. ANYBODY needs no account, SELF any account, SET_UP the set-up code."""

    ANYBODY = "anybody"
    SET_UP = "set-up"
    SELF = "self"
    SEE_OVERVIEW = "see-overview"
    SEE_ACTIVITY = "see-activity"
    SEE_SOURCES = "see-sources"
    CHANGE_SOURCES = "change-sources"
    SEE_CONNECTED = "see-connected"
    SEE_RETENTION = "see-retention"
    CHANGE_HOLDS = "change-holds"
    CONFIRM_BASIS = "confirm-basis"
    SEE_REPLICATION = "see-replication"
    CHANGE_REPLICATION = "change-replication"
    SEE_AUDIT = "see-audit"
    SEE_USERS = "see-users"
    CHANGE_USERS = "change-users"
    CHANGE_SETTINGS = "change-settings"


class Role(StrEnum):
    """What an account is."""

    OPERATOR = "operator"
    CLIENT_TECHNICAL = "client-technical"
    CLIENT_MANAGEMENT = "client-management"
    SITE_MANAGER = "site-manager"
    AUDITOR = "auditor"
    CUSTODIAN = "custodian"


EVERY_RIGHT = frozenset(Right) - {Right.ANYBODY, Right.SET_UP}
_SEE = frozenset(
    {
        Right.SELF,
        Right.SEE_OVERVIEW,
        Right.SEE_ACTIVITY,
        Right.SEE_SOURCES,
        Right.SEE_RETENTION,
        Right.SEE_REPLICATION,
    }
)

TABLE: Mapping[Role, frozenset[Right]] = MappingProxyType(
    {
        Role.OPERATOR: EVERY_RIGHT,
        Role.CLIENT_TECHNICAL: _SEE | {Right.CHANGE_SOURCES, Right.SEE_CONNECTED, Right.CHANGE_REPLICATION},
        Role.CLIENT_MANAGEMENT: _SEE | {Right.SEE_AUDIT, Right.SEE_USERS},
        Role.SITE_MANAGER: _SEE - {Right.SEE_REPLICATION},
        Role.AUDITOR: _SEE | {Right.SEE_AUDIT, Right.SEE_USERS},
        Role.CUSTODIAN: frozenset({Right.SELF, Right.SEE_OVERVIEW, Right.SEE_RETENTION, Right.SEE_AUDIT}),
    }
)

GRANTABLE = frozenset(
    {Right.SEE_CONNECTED, Right.SEE_REPLICATION, Right.SEE_AUDIT, Right.CHANGE_SOURCES, Right.CHANGE_HOLDS}
)
"""What an account may be given beyond its role, one by one."""


@dataclass(frozen=True)
class Person:
    """An account that is signed in. `clients` None: all of its operator's; else whose it is."""

    name: str
    role: Role
    clients: frozenset[str] | None = None
    extras: frozenset[Right] = field(default_factory=frozenset)


def may(person: Person, right: Right, client: str) -> bool:
    """Whether this account has a right at a client's box."""
    if right is Right.ANYBODY:
        return True
    if person.clients is not None and client not in person.clients:
        return False
    return right in TABLE[person.role] | (person.extras & GRANTABLE)
