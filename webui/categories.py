"""What statistics count by, as a person calls it, in English; French stands in the catalogue. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from webui.wording import said


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated when it is shown."""
    return text


USES: Mapping[str, str] = MappingProxyType(
    {
        "mail": _("Mail"),
        "social": _("Social networks"),
        "web": _("Web"),
        "tls_web": _("Web, encrypted"),
        "video": _("Video"),
        "music": _("Music"),
        "calls": _("Calls and meetings"),
        "games": _("Games"),
        "file_transfer": _("File transfer"),
        "remote_access": _("Remote access"),
        "update_store": _("Updates and app stores"),
        "name_service": _("Name service"),
        "vpn": _("Private networks (VPN)"),
        "messaging": _("Messaging"),
        "other": _("Other"),
    }
)

SYSTEMS: Mapping[str, str] = MappingProxyType(
    {
        "windows": _("Windows"),
        "apple_mobile": _("iPhone and iPad"),
        "macos": _("Mac"),
        "android": _("Android"),
        "chrome_os": _("Chromebook"),
        "linux": _("Linux"),
        "console": _("Game console"),
        "printer": _("Printer"),
        "other": _("Other"),
    }
)

PLACES: Mapping[str, str] = MappingProxyType({"none": _("Access point not named"), "all": _("Anywhere")})


def called(language: str, words: Mapping[str, str], key: str) -> str:
    """What a word of statistics is called; the word itself where a newer box has one more."""
    known = words.get(key)
    return said(language, known) if known else key
