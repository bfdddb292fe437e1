"""Custody of envelopes, in a folder and in a bucket: what is destroyed is gone, in every version."""

import dataclasses
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.central.bucket_custody import BucketCustody
from appliance.central.custody import Custody, FolderCustody
from appliance.central.stores.bucket import Bucket
from appliance.model.errors import StorageError
from tests.central.servers import S3
from tests.central.store_suite import OTHER, SITE, path_of

ENVELOPE = b'{"format":"greffier envelope 1"}\n' * 40
NAME = "envelopes/traffic/2026-03-14/0123456789abcdef.envelope"
PATH = path_of(ENVELOPE, NAME)

Versions = Callable[[], dict[str, list[bytes]]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "custody"


@pytest.fixture
def bucket(s3: S3, tmp_path: Path) -> Iterator[Bucket]:
    made = Bucket(s3.place(f"custody-{uuid.uuid4().hex[:12]}"), tmp_path)
    made.make(locking=False)
    made.check(locking=False)
    yield made
    made.close()


@pytest.fixture(params=["folder", "bucket"])
def custody(request: pytest.FixtureRequest) -> Custody:
    if request.param == "folder":
        return FolderCustody(request.getfixturevalue("root"))
    return BucketCustody(request.getfixturevalue("bucket"))


@pytest.fixture
def lying(request: pytest.FixtureRequest, custody: Custody) -> Iterator[Versions]:
    """All that is there by path, each version of it; by boto3 for a bucket."""
    if isinstance(custody, FolderCustody):
        root: Path = request.getfixturevalue("root")
        yield lambda: {str(p.relative_to(root)): [p.read_bytes()] for p in root.rglob("*") if p.is_file()}
        return
    client, name = request.getfixturevalue("s3").client(), request.getfixturevalue("bucket").name

    def versions() -> dict[str, list[bytes]]:
        found: dict[str, list[bytes]] = {}
        answer = client.list_object_versions(Bucket=name)
        for each in [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]:
            which: dict[str, Any] = {"Bucket": name, "Key": each["Key"]}
            body = client.get_object(**which)["Body"].read() if "Size" in each else b"a marker"
            found.setdefault(each["Key"], []).append(body)
        return found

    yield versions
    client.close()


def test_an_envelope_is_kept_and_given_back(custody: Custody, lying: Versions) -> None:
    custody.put(PATH, ENVELOPE)
    custody.put(PATH, ENVELOPE)
    assert custody.get(PATH) == ENVELOPE
    assert lying() == {PATH: [ENVELOPE]}


def test_a_destroyed_envelope_is_gone_at_once_in_all_versions(custody: Custody, lying: Versions) -> None:
    other = path_of(b"another", NAME)
    custody.put(PATH, ENVELOPE)
    custody.put(other, b"another")
    custody.destroy(PATH)
    custody.destroy(PATH)
    assert lying() == {other: [b"another"]}
    with pytest.raises(KeyError):
        custody.get(PATH)
    custody.put(PATH, ENVELOPE)
    assert custody.get(PATH) == ENVELOPE


def test_damaged_envelopes_are_replaced(custody: Custody, lying: Versions, request: Any) -> None:
    custody.put(PATH, ENVELOPE)
    if isinstance(custody, FolderCustody):
        (request.getfixturevalue("root") / PATH).write_bytes(b"damaged")
    else:
        client = request.getfixturevalue("s3").client()
        client.put_object(Bucket=request.getfixturevalue("bucket").name, Key=PATH, Body=b"damaged")
        client.close()
    custody.put(PATH, ENVELOPE)
    assert lying() == {PATH: [ENVELOPE]}


def test_names_are_those_that_begin_so(custody: Custody) -> None:
    paths = {
        path_of(content, f"envelopes/{vault}/2026-03-14/{key}.envelope", site)
        for site in (SITE, OTHER)
        for vault in ("traffic", "source")
        for key in ("0" * 16, "1" * 16)
        for content in (b"one", b"two")
    }
    for path in paths:
        custody.put(
            path, b"one" if path == path_of(b"one", path[65:].rpartition(".")[0], path[:64]) else b"two"
        )
    assert set(custody.names("")) == paths
    one_key = f"{SITE}/envelopes/traffic/2026-03-14/{'0' * 16}.envelope"
    assert set(custody.names(one_key)) == {path for path in paths if path.startswith(one_key)}
    assert len(set(custody.names(one_key))) == 2
    assert list(custody.names(f"{SITE}/envelopes/traffic/2026-03-15/")) == []


@pytest.mark.parametrize("path", ["/etc/passwd", f"{SITE}/../x", f"{SITE}/.new/x", "x", SITE])
def test_nothing_escapes(custody: Custody, path: str) -> None:
    for call in (custody.get, custody.destroy, lambda path: custody.put(path, b"x")):
        with pytest.raises(ValueError, match="is not the path"):
            call(path)
    with pytest.raises(ValueError, match="is not the beginning"):
        list(custody.names("../"))


def test_a_file_is_overwritten_before_it_is_deleted(root: Path) -> None:
    custody = FolderCustody(root)
    custody.put(PATH, ENVELOPE)
    os.link(root / PATH, root / "second-name")  # the same blocks, still to be read
    custody.destroy(PATH)
    assert (root / "second-name").read_bytes() == bytes(len(ENVELOPE))
    assert not (root / SITE).exists()


def test_a_second_copy_is_shredded_too(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written and turns out to be there already, or not to be right, leaves no blocks either."""
    left: list[bytes] = []
    unlink = Path.unlink

    def watched(path: Path, missing_ok: bool = False) -> None:
        if path.exists() and path.stat().st_nlink == 1:
            left.append(path.read_bytes())
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", watched)
    custody = FolderCustody(root)
    custody.put(PATH, ENVELOPE)
    assert left == []
    custody.put(PATH, ENVELOPE)
    assert left == [bytes(len(ENVELOPE))]
    assert custody.get(PATH) == ENVELOPE


def test_only_its_owner_can_look(root: Path) -> None:
    FolderCustody(root).put(PATH, ENVELOPE)
    assert (root / PATH).stat().st_mode & 0o777 == 0o600
    assert root.stat().st_mode & 0o777 == 0o700


def test_what_a_dead_process_left_is_shredded_without_harm_to_the_envelope(root: Path) -> None:
    """It died after the envelope had its name, and another one before."""
    custody = FolderCustody(root)
    custody.put(PATH, ENVELOPE)
    second, half = root / ".new/17-0-x", root / ".new/17-1-y"
    os.link(root / PATH, second)
    half.write_bytes(ENVELOPE[:100])
    os.link(half, root / "watched")
    (root / "watched").rename(root.parent / "watched")
    for path in (second, half):
        os.utime(path, (time.time() - 7200,) * 2)
    again = FolderCustody(root)
    assert again.get(PATH) == ENVELOPE
    assert list((root / ".new").iterdir()) == [half] or not half.exists()
    assert not second.exists()


def test_a_bucket_that_began_to_keep_versions_is_emptied_all_the_same(bucket: Bucket, s3: S3) -> None:
    custody = BucketCustody(bucket)
    client = s3.client()
    custody.put(PATH, ENVELOPE)
    client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    client.put_object(Bucket=bucket.name, Key=PATH, Body=ENVELOPE)
    custody.destroy(PATH)
    answer = client.list_object_versions(Bucket=bucket.name)
    client.close()
    assert not answer.get("Versions")
    assert not answer.get("DeleteMarkers")


def test_a_store_that_is_away_is_said(tmp_path: Path, s3: S3) -> None:
    """Above all when something is to be destroyed."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        place = dataclasses.replace(
            s3.place("custody"), endpoint=f"http://127.0.0.1:{closed.getsockname()[1]}"
        )
        bucket = Bucket(place, tmp_path)
        for call in (bucket.probe, lambda: BucketCustody(bucket).destroy(PATH)):
            with pytest.raises(StorageError, match="see that the store can be reached"):
                call()
        bucket.close()
