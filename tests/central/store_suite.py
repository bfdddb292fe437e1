"""What every store must do. A test file makes a subclass, a `store`, and says what really lies there."""

import contextlib
import datetime as dt
import hashlib
import io
import threading
from collections.abc import Callable

import pytest

from appliance.central.stores.store import Store
from appliance.model.errors import StorageError

SITE, OTHER = "ab" * 32, "cd" * 32


def path_of(content: bytes, name: str = "journal/traffic/2026-03-14/a.journal", site: str = SITE) -> str:
    return f"{site}/{name}.{hashlib.sha256(content).hexdigest()}"


def put(store: Store, content: bytes, path: str = "", until: dt.date | None = None) -> str:
    path = path or path_of(content)
    store.put(path, io.BytesIO(content), len(content), hashlib.sha256(content).hexdigest(), until)
    return path


def read(store: Store, path: str) -> bytes:
    with contextlib.closing(store.open(path)) as file:
        return file.read()


class Breaking(io.RawIOBase):
    """A sender that breaks off: some bytes, then an error."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        piece = self._content.read(min(len(buffer), 1 << 16))
        if not piece:
            raise ConnectionResetError(104, "the sender went away")
        buffer[: len(piece)] = piece
        return len(piece)


class StoreSuite:
    """The contract of `store.Store`. `lying` is what another tool finds, path by path."""

    @pytest.mark.parametrize("size", [0, 1, 2_000, (1 << 20) + 1, 9_000_000])
    def test_what_is_put_lies_there_to_the_byte(self, store: Store, lying: Callable, size: int) -> None:
        content = bytes(range(251)) * (size // 251 + 1)
        path = put(store, content[:size])
        assert lying() == {path: content[:size]}
        assert read(store, path) == content[:size]
        assert list(store.names("")) == [(path, size)]

    def test_a_reader_can_take_pieces(self, store: Store) -> None:
        content = bytes(3_000_000)
        with contextlib.closing(store.open(put(store, content))) as file:
            pieces = [len(file.read(1_000_000)) for _ in range(4)]
        assert pieces == [1_000_000, 1_000_000, 1_000_000, 0]

    def test_the_same_bytes_again_change_nothing(self, store: Store, lying: Callable) -> None:
        path = put(store, b"once")
        assert put(store, b"once") == path
        assert lying() == {path: b"once"}

    @pytest.mark.parametrize("size", [100, 9_000_000])
    def test_other_bytes_than_announced_leave_nothing(self, store: Store, lying: Callable, size: int) -> None:
        right = b"r" * size
        digest = hashlib.sha256(right).hexdigest()
        for wrong, announced in ((b"w" * size, size), (right[:-1], size), (right, size - 1), (b"", size)):
            with pytest.raises(ValueError, match=r"shorter|hash"):
                store.put(path_of(right), io.BytesIO(wrong), announced, digest, None)
        assert lying() == {}
        assert list(store.names("")) == []

    def test_what_comes_after_the_announced_bytes_is_not_read(self, store: Store, lying: Callable) -> None:
        source = io.BytesIO(b"announced, and then more")
        path = path_of(b"announced")
        store.put(path, source, 9, hashlib.sha256(b"announced").hexdigest(), None)
        assert lying() == {path: b"announced"}
        assert source.tell() == 9

    @pytest.mark.parametrize("size", [100, 9_000_000])
    def test_a_sender_that_breaks_off_leaves_nothing(self, store: Store, lying: Callable, size: int) -> None:
        with pytest.raises(ConnectionResetError):
            store.put(path_of(b"x"), Breaking(bytes(size)), size + 1, "0" * 64, None)  # type: ignore[arg-type]
        assert lying() == {}

    def test_damaged_bytes_are_replaced_by_the_right_ones(
        self, store: Store, damage: Callable[[str, bytes], None], lying: Callable
    ) -> None:
        path = put(store, b"right")
        damage(path, b"wrong")
        assert lying() == {path: b"wrong"}
        put(store, b"right")
        assert lying() == {path: b"right"}
        assert read(store, path) == b"right"

    def test_what_is_deleted_is_gone(self, store: Store, lying: Callable) -> None:
        path, stays = put(store, b"goes"), put(store, b"stays")
        assert store.delete(path) is True
        assert store.delete(path) is True
        assert lying() == {stays: b"stays"}
        with pytest.raises(KeyError):
            store.open(path)
        assert put(store, b"goes") == path
        assert read(store, path) == b"goes"

    def test_names_are_those_that_begin_so(self, store: Store) -> None:
        paths = {
            put(store, content, path_of(content, name, site)): len(content)
            for site in (SITE, OTHER)
            for name in ("chain/000000000001-0123456789abcdef", "envelopes/source/2026-03-14/k.envelope")
            for content in (b"one", b"three")
        }
        assert dict(store.names("")) == paths
        for prefix in (
            SITE,
            f"{SITE}/",
            f"{OTHER}/chain/",
            f"{OTHER}/chain/0000",
            f"{SITE}/envelopes/source/2026",
        ):
            wanted = {path: size for path, size in paths.items() if path.startswith(prefix)}
            assert wanted
            assert dict(store.names(prefix)) == wanted
        assert list(store.names(f"{SITE}/statistics/")) == []

    def test_nothing_escapes(self, store: Store, lying: Callable) -> None:
        wrong = [
            "", "a", "/etc/passwd", "../x", f"{SITE}/../x", f"{SITE}/a/../b", f"{SITE}//a", f"{SITE}/.new/a",
            f"{SITE}/a\n", f"{SITE}/a\x00", f"{SITE}/a\\b", f"{SITE}/é", SITE, f"{SITE}/",
            f"{SITE.upper()}/a", f"{SITE}/" + "a" * 300, f"{SITE}/" + "a/" * 20 + "a",
        ]  # fmt: skip
        for path in wrong:
            with pytest.raises(ValueError, match="is not the path"):
                put(store, b"x", path or " ")
            with pytest.raises(ValueError, match="is not the path"):
                store.open(path)
            with pytest.raises(ValueError, match="is not the path"):
                store.delete(path)
        for prefix in ("..", "/", f"{SITE}/../", "a"):
            with pytest.raises(ValueError, match="is not the beginning"):
                list(store.names(prefix))
        assert lying() == {}

    def test_many_at_once_and_the_same(self, store: Store, lying: Callable) -> None:
        contents = [bytes([number]) * 1000 for number in range(12)]
        failed: list[BaseException] = []

        def work() -> None:
            try:
                for content in contents:
                    put(store, content)
            except BaseException as error:  # noqa: BLE001 - told below
                failed.append(error)

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not failed
        assert lying() == {path_of(content): content for content in contents}

    def test_putting_and_deleting_side_by_side(self, store: Store) -> None:
        """A folder that a deletion empties is one that a writer is about to use."""
        failed: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for turn in range(10):
                    store.delete(put(store, f"{number} {turn}".encode()))
            except BaseException as error:  # noqa: BLE001 - told below
                failed.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not failed
        assert list(store.names("")) == []


def refuses(call: Callable[[], object]) -> str:
    """The sentence of the StorageError that a call raises."""
    with pytest.raises(StorageError) as caught:
        call()
    return str(caught.value)
