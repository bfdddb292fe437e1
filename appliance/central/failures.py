"""Failures: what went wrong with one of many does not stop the rest, and is said at the end, once."""

import contextlib
from collections.abc import Iterator

from appliance.model.errors import CentralError, GreffierError, StorageError

IN_A_ROW = 20
"""So many without one success are no fault of theirs: the store, or the disk, is away for all."""


class Failures:
    """Tries one after another; `tell` raises what failed. CentralError, the catalogue's, ends the whole."""

    def __init__(self) -> None:
        self._first = ""
        self._count = 0
        self._in_a_row: set[str] = set()

    @contextlib.contextmanager
    def of(self, what: str, whose: str = "") -> Iterator[None]:
        """Try something that `what` names to a person. Raises StorageError after too many in a row.

        However many fail of what is one's (`whose`, a site) count as one in that row.
        """
        try:
            yield
        except CentralError:
            raise
        except Exception as error:  # noqa: BLE001  whatever is wrong with one keeps nothing of the others
            reason = str(error) if isinstance(error, GreffierError) else type(error).__name__
            self._first = self._first or f"{what}: {reason}"
            self._count += 1
            self._in_a_row.add(whose or f"{self._count}")
            if len(self._in_a_row) >= IN_A_ROW:
                self.tell()
        else:
            self._in_a_row.clear()

    def tell(self) -> None:
        """Raise StorageError, with the first of what failed, if anything did."""
        if self._count > 1:
            raise StorageError(f"{self._first}; so did {self._count - 1} more")
        if self._count:
            raise StorageError(self._first)
