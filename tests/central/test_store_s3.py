"""The store in a bucket: the suite of all stores, locks, versions, a server that goes away. boto3 judges."""

import dataclasses
import datetime as dt
import io
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from appliance.central.stores.bucket import Bucket
from appliance.central.stores.s3 import S3Store
from appliance.config.central import PlaceConfig
from appliance.model.errors import CentralError, StorageError
from appliance.runtime.clock import now_ns
from tests.central.servers import S3
from tests.central.store_suite import StoreSuite, path_of, put, read, refuses

NEXT_YEAR = dt.datetime.fromtimestamp(now_ns() / 1e9, dt.UTC).date() + dt.timedelta(days=366)


@pytest.fixture
def client(s3: S3) -> Iterator[Any]:
    found = s3.client()
    yield found
    found.close()


@pytest.fixture
def bucket(s3: S3, tmp_path: Path) -> Iterator[Bucket]:
    made = Bucket(s3.place(f"objects-{uuid.uuid4().hex[:12]}"), tmp_path)
    made.make(locking=True)
    made.check(locking=True)
    yield made
    made.close()


@pytest.fixture
def store(bucket: Bucket) -> S3Store:
    return S3Store(bucket)


@pytest.fixture
def lying(bucket: Bucket, client: Any) -> Callable[[], dict[str, bytes]]:
    def found() -> dict[str, bytes]:
        listed = client.list_objects_v2(Bucket=bucket.name).get("Contents", [])
        return {
            each["Key"]: client.get_object(Bucket=bucket.name, Key=each["Key"])["Body"].read()
            for each in listed
        }

    return found


@pytest.fixture
def damage(bucket: Bucket, client: Any) -> Callable[[str, bytes], None]:
    def overwrite(path: str, content: bytes) -> None:
        client.put_object(Bucket=bucket.name, Key=path, Body=content)

    return overwrite


def versions(client: Any, bucket: Bucket) -> list[dict[str, Any]]:
    answer = client.list_object_versions(Bucket=bucket.name)
    return [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]


class TestS3Store(StoreSuite):
    """All of it."""


def test_a_locked_object_cannot_be_deleted_by_anybody_before_its_day(
    store: S3Store, bucket: Bucket, client: Any
) -> None:
    path = put(store, b"a segment", until=NEXT_YEAR)
    (version,) = versions(client, bucket)
    kept = client.get_object_retention(Bucket=bucket.name, Key=path)["Retention"]
    assert (kept["Mode"], kept["RetainUntilDate"].astimezone(dt.UTC).date()) == ("COMPLIANCE", NEXT_YEAR)
    which = {"Bucket": bucket.name, "Key": path, "VersionId": version["VersionId"]}
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(**which)
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(**which, BypassGovernanceRetention=True)
    with pytest.raises(ClientError):
        client.put_object_retention(
            **which,
            Retention={"Mode": "COMPLIANCE", "RetainUntilDate": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)},
        )
    assert store.delete(path) is False
    assert read(store, path) == b"a segment"
    assert [found["VersionId"] for found in versions(client, bucket)] == [version["VersionId"]]


def test_what_may_go_today_is_kept_and_not_locked(store: S3Store, bucket: Bucket, client: Any) -> None:
    today = dt.datetime.fromtimestamp(now_ns() / 1e9, dt.UTC).date()
    path = put(store, b"a segment of long ago, under a hold", until=today)
    assert put(store, b"a segment of long ago, under a hold", until=dt.date(2016, 3, 1)) == path
    assert read(store, path) == b"a segment of long ago, under a hold"
    with pytest.raises(ClientError):
        client.get_object_retention(Bucket=bucket.name, Key=path)
    assert store.delete(path) is True


def test_a_lock_that_is_over_holds_nothing(store: S3Store, bucket: Bucket, client: Any) -> None:
    path = path_of(b"a segment")
    put(store, b"a segment")
    soon = dt.datetime.fromtimestamp(now_ns() / 1e9 + 2, dt.UTC)
    lock = {"Mode": "COMPLIANCE", "RetainUntilDate": soon}
    client.put_object_retention(Bucket=bucket.name, Key=path, Retention=lock)
    assert store.delete(path) is False
    deadline = now_ns() + 20 * 10**9
    while not store.delete(path):
        assert now_ns() < deadline
    assert versions(client, bucket) == []


def test_the_same_bytes_again_are_locked_for_longer_never_for_less(
    store: S3Store, bucket: Bucket, client: Any
) -> None:
    def until() -> dt.date:
        found = client.get_object_retention(Bucket=bucket.name, Key=path)["Retention"]["RetainUntilDate"]
        return found.astimezone(dt.UTC).date()

    path = put(store, b"a segment")
    put(store, b"a segment", until=NEXT_YEAR)
    assert until() == NEXT_YEAR
    later = NEXT_YEAR + dt.timedelta(days=30)
    put(store, b"a segment", until=later)
    put(store, b"a segment", until=NEXT_YEAR)
    assert until() == later
    assert len(versions(client, bucket)) == 1


def test_deleting_is_every_version_and_no_marker(store: S3Store, bucket: Bucket, client: Any) -> None:
    path = put(store, b"right")
    client.put_object(Bucket=bucket.name, Key=path, Body=b"another")
    client.delete_object(Bucket=bucket.name, Key=path)
    assert len(versions(client, bucket)) == 3
    assert store.delete(path) is True
    assert versions(client, bucket) == []


def test_what_a_delete_marker_hides_is_found(store: S3Store, bucket: Bucket, client: Any) -> None:
    path = put(store, b"hidden", until=NEXT_YEAR)
    client.delete_object(Bucket=bucket.name, Key=path)
    assert client.list_objects_v2(Bucket=bucket.name)["KeyCount"] == 0
    assert read(store, path) == b"hidden"
    assert list(store.names("")) == [(path, 6)]


def test_names_come_in_pages(
    store: S3Store, bucket: Bucket, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {put(store, str(number).encode()) for number in range(25)}
    listed = bucket.client.list_object_versions
    asked: list[int] = []

    def few(**wanted: Any) -> Any:
        asked.append(1)
        return listed(**{**wanted, "MaxKeys": 10})

    monkeypatch.setattr(bucket.client, "list_object_versions", few)
    assert {path for path, _ in store.names("")} == paths
    assert len(asked) == 3


def test_the_store_itself_checks_the_hash(bucket: Bucket) -> None:
    bucket.probe()
    assert list(bucket.versions("")) == []


def test_buckets_that_are_not_as_they_must_be_are_refused(s3: S3, client: Any, tmp_path: Path) -> None:
    names = [f"{kind}-{uuid.uuid4().hex[:8]}" for kind in ("plain", "versions", "lock", "default")]
    plain, versioned, locked, default = names
    client.create_bucket(Bucket=plain)
    client.create_bucket(Bucket=versioned)
    client.put_bucket_versioning(Bucket=versioned, VersioningConfiguration={"Status": "Enabled"})
    for name in (locked, default):
        client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}
    client.put_object_lock_configuration(
        Bucket=default, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    wrong = {
        (plain, True): "has no object lock", (versioned, True): "has no object lock",
        (default, True): "locks all by default", (versioned, False): "keeps versions or locks",
        (locked, False): "keeps versions or locks", ("there-is-none", True): "there is no bucket",
    }  # fmt: skip
    for (name, locking), why in wrong.items():
        bucket = Bucket(s3.place(name), tmp_path)
        with pytest.raises(CentralError, match=why):
            bucket.check(locking)
        bucket.close()
    for name, locking in ((plain, False), (locked, True)):
        bucket = Bucket(s3.place(name), tmp_path)
        bucket.check(locking)
        bucket.close()


def test_keys_are_a_file_for_their_owner_only(s3: S3, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    place = PlaceConfig(s3.endpoint, "bucket", "", "keys")
    with pytest.raises(CentralError, match="cannot read the store's keys"):
        Bucket(place, tmp_path)
    keys.write_text("[default]\naws_access_key_id = x\n")
    keys.chmod(0o640)
    with pytest.raises(CentralError, match="chmod 600"):
        Bucket(place, tmp_path)
    keys.chmod(0o600)
    with pytest.raises(CentralError, match=r"needs a section \[default\]"):
        Bucket(place, tmp_path)
    keys.write_text("[default]\naws_access_key_id = x\naws_secret_access_key = a-secret\n")
    bucket = Bucket(place, tmp_path)
    with pytest.raises(StorageError) as caught:
        put(S3Store(bucket), b"x")
    assert "a-secret" not in str(caught.value)
    bucket.close()


def test_a_server_that_is_not_there_is_said_within_the_bounds(s3: S3, tmp_path: Path) -> None:
    """That all goes on when it is back is shown in test_side_by_side."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = dataclasses.replace(
            s3.place("objects"), endpoint=f"http://127.0.0.1:{closed.getsockname()[1]}"
        )
        store = S3Store(Bucket(away, tmp_path))
        began = now_ns()
        assert "cannot write to the bucket" in refuses(lambda: put(store, b"meanwhile"))
        assert "cannot read from the bucket" in refuses(lambda: store.open(path_of(b"x")))
        assert "cannot list the bucket" in refuses(lambda: list(store.names("")))
        assert "the bucket" in refuses(lambda: store.delete(path_of(b"x")))
        assert now_ns() - began < 60e9
        store.close()


def test_an_answer_that_breaks_off_is_no_end(store: S3Store, bucket: Bucket, monkeypatch: Any) -> None:
    """The server announces more than it sends: a reader hears an error, not a shorter object."""
    path = put(store, b"x" * 100_000)
    get = bucket.client.get_object

    def broken(**which: Any) -> Any:
        answer = get(**which)
        answer["Body"]._content_length = "200000"
        return answer

    monkeypatch.setattr(bucket.client, "get_object", broken)
    file = store.open(path)
    with pytest.raises(StorageError, match="broke off"):
        io.BytesIO(file.read())
    file.close()
