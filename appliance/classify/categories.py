"""The closed lists of what a connection may be for and of what a client may run."""

from enum import IntEnum


class Category(IntEnum):
    """What a connection is for. The numbers are kept in statistics: they are never given a new meaning."""

    OTHER = 1
    MAIL = 2
    SOCIAL = 3
    WEB = 4
    TLS_WEB = 5
    VIDEO = 6
    MUSIC = 7
    CALLS = 8  # voice and video
    GAMES = 9
    FILE_TRANSFER = 10  # clouds that keep files, and the protocols that carry them
    REMOTE_ACCESS = 11
    UPDATE_STORE = 12
    NAME_SERVICE = 13
    VPN = 14
    MESSAGING = 15  # written messages between persons; what the same service calls by is CALLS


class OsFamily(IntEnum):
    """What DHCP option 55 lets one tell apart; it does not tell iOS from iPadOS, nor one Linux from another.

    The numbers are kept in statistics: they are never given a new meaning.
    """

    OTHER = 1
    WINDOWS = 2
    APPLE_MOBILE = 3
    MACOS = 4
    ANDROID = 5
    CHROME_OS = 6
    LINUX = 7
    CONSOLE = 8
    PRINTER = 9


NOTHING_KNOWN = 0
"""In tables and memories beside the numbers of `Category`; it never leaves this room."""
