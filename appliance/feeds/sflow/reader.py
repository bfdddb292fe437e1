"""XDR as sFlow uses it (RFC 4506): numbers of four bytes, opaque bytes padded to four."""

from struct import Struct

from appliance.feeds.told import NOWHERE, Address
from appliance.model.addresses import MAPPED_V4

_WORD = Struct("!I")
_IPV4, _IPV6 = 1, 2
_ALL = 0xFFFF_FFFF_FFFF_FFFF


class CutShortError(Exception):
    """There are fewer bytes than something says of itself. Never leaves this room."""


class Reader:
    """Reads bytes from their beginning. Everything raises CutShortError where they end too early."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self.data) - self._at

    def number(self) -> int:
        """An unsigned integer."""
        value: int = _WORD.unpack(self.take(4))[0]
        return value

    def numbers(self, count: int) -> tuple[int, ...]:
        """Some unsigned integers."""
        return tuple(value for (value,) in _WORD.iter_unpack(self.take(4 * count)))

    def take(self, size: int) -> bytes:
        """So many bytes."""
        if size > self.left:
            raise CutShortError
        taken = self.data[self._at : self._at + size]
        self._at += size
        return taken

    def opaque(self) -> bytes:
        """Bytes that say their own length; their padding is passed over, and may be missing at the end."""
        taken = self.take(self.number())
        self._at = min(self._at + -len(taken) % 4, len(self.data))
        return taken

    def mac(self) -> int:
        """Six bytes, padded to eight."""
        return int.from_bytes(self.take(8)[:6])

    def ip(self, size: int) -> Address:
        """An address of 4 or 16 bytes."""
        number = int.from_bytes(self.take(size)) | (MAPPED_V4 if size == 4 else 0)
        return number >> 64, number & _ALL

    def address(self) -> Address:
        """An address that says its own family; NOWHERE for one that is unknown."""
        family = self.number()
        if family in (_IPV4, _IPV6):
            return self.ip(4 if family == _IPV4 else 16)
        return NOWHERE
