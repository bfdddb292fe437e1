"""Texts that rows name by number: SSIDs, users, sessions. Bounded, because strangers choose them."""

from collections.abc import Iterable, Sequence

NO_TEXT = 0


class Texts:
    """Numbers for texts. 0 is "none"; a number stays its text's until `keep` is told it is in no use.

    Beyond `limit` texts, or for one longer than LONGEST characters, the number is 0 and `refused` counts.
    """

    LONGEST = 253  # a RADIUS attribute (RFC 2865 section 5); an SSID has at most 32 octets

    def __init__(self, limit: int = 65_536) -> None:
        self.refused = 0
        self._limit = limit
        self._number: dict[str, int] = {}
        self._texts: list[str] = [""]
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._number)

    def number(self, text: str) -> int:
        """The number of a text, a new one if it has none; 0 for an empty one."""
        known = self._number.get(text)
        if known is not None:
            return known
        if not text:
            return NO_TEXT
        if len(text) > self.LONGEST or len(self._number) >= self._limit:
            self.refused += 1
            return NO_TEXT
        if self._free:
            number = self._free.pop()
            self._texts[number] = text
        else:
            number = len(self._texts)
            self._texts.append(text)
        self._number[text] = number
        return number

    def all(self) -> Sequence[str]:
        """Texts by number; what stands at a number that is in no use means nothing."""
        return self._texts

    def keep(self, used: Iterable[int]) -> None:
        """Forget every text but these: no row names another any more."""
        stay = set(used)
        for text, number in list(self._number.items()):
            if number not in stay:
                del self._number[text]
                self._texts[number] = ""
                self._free.append(number)
