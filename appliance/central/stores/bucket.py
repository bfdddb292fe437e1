"""A bucket of an S3-compatible store: requests that are bounded in time, and errors as sentences.

What such a store must offer besides the plain requests is asked of it when a central is made: conditional
writes (If-None-Match), SHA-256 checksums that it checks itself, and for objects versions with object lock.
"""

import base64
import configparser
import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from appliance.config.central import PlaceConfig
from appliance.model.errors import CentralError, StorageError
from appliance.runtime.clock import now_ns

CONNECT_S, READ_S, ATTEMPTS = 5, 60, 3
_CLOCKS_S = 60
"""How far the store's clock may be behind ours when a lock ends."""
_PROBE = ".greffier-probe"


class Bucket:
    """One bucket by its settings; connections are opened as they are needed. Any thread may use it."""

    def __init__(self, place: PlaceConfig, folder: Path) -> None:
        """Raises CentralError if the keys cannot be read; `folder` is what their file is relative to."""
        self.name = place.bucket
        self._region = place.region
        self.client = boto3.session.Session().client(
            "s3",
            endpoint_url=place.endpoint,
            region_name=place.region or "us-east-1",
            config=Config(
                connect_timeout=CONNECT_S,
                read_timeout=READ_S,
                retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
                max_pool_connections=64,
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
            **(_keys(folder / place.credentials) if place.credentials else {}),
        )

    def make(self, locking: bool) -> None:
        """Make the bucket unless it is there. Raises StorageError."""
        elsewhere = self._region not in ("", "us-east-1")
        where = {"CreateBucketConfiguration": {"LocationConstraint": self._region}} if elsewhere else {}
        with self.told("make the bucket"):
            try:
                self.client.head_bucket(Bucket=self.name)
            except ClientError as error:
                if status(error) != 404:
                    raise
                self.client.create_bucket(Bucket=self.name, ObjectLockEnabledForBucket=locking, **where)

    def check(self, locking: bool) -> None:
        """Raises CentralError if the bucket is not there or not as it must be, StorageError."""
        with self.told("look at the bucket"):
            try:
                versions = self.client.get_bucket_versioning(Bucket=self.name).get("Status", "")
            except ClientError as error:
                if status(error) == 404:
                    raise CentralError(f"there is no bucket {self.name}; see central.toml") from None
                raise
            locks = self._locks()
        if locking and not (versions == "Enabled" and locks):
            raise CentralError(
                f"the bucket {self.name} has no object lock; make one that has, without a default"
            )
        if locks.get("Rule"):
            raise CentralError(f"the bucket {self.name} locks all by default; take that rule away")
        if not locking and (versions or locks):
            raise CentralError(
                f"the bucket {self.name} keeps versions or locks, so that no envelope could be destroyed; "
                "make one that never had either"
            )

    def probe(self) -> None:
        """Show that the store refuses what it must. Raises CentralError, StorageError."""
        with self.told("try the bucket"):
            self.client.put_object(Bucket=self.name, Key=_PROBE, Body=b"1")
            try:
                if self._takes(b"1", IfNoneMatch="*"):
                    raise CentralError(f"the store of {self.name} knows no If-None-Match; take another")
                if self._takes(b"1", ChecksumSHA256=checksum(hashlib.sha256(b"2").hexdigest())):
                    raise CentralError(f"the store of {self.name} checks no SHA-256; take another")
            finally:
                self.erase(_PROBE)

    def _takes(self, body: bytes, **conditions: str) -> bool:
        try:
            self.client.put_object(Bucket=self.name, Key=_PROBE, Body=body, **conditions)
        except ClientError as error:
            if status(error) in (400, 412):
                return False
            raise
        return True

    def _locks(self) -> dict[str, Any]:
        try:
            found = self.client.get_object_lock_configuration(Bucket=self.name)
        except ClientError as error:
            if status(error) in (404, 501):
                return {}
            raise
        return dict(found["ObjectLockConfiguration"])

    def versions(self, prefix: str) -> Iterator[dict[str, Any]]:
        """Every version and delete marker of keys that begin so: a marker has no Size. StorageError."""
        pages = self.client.get_paginator("list_object_versions")
        with self.told("list the bucket"):
            for page in pages.paginate(Bucket=self.name, Prefix=prefix):
                yield from page.get("Versions", [])
                yield from page.get("DeleteMarkers", [])

    def erase(self, key: str) -> bool:
        """Delete every version of a key; false if a lock keeps one. Raises StorageError."""
        gone = True
        with self.told("delete from the bucket"):
            for version in list(self.versions(key)):
                if version["Key"] == key:
                    gone = self._erased(key, version) and gone
        return gone

    def _erased(self, key: str, version: dict[str, Any]) -> bool:
        which = {"Bucket": self.name, "Key": key, "VersionId": version["VersionId"]}
        try:
            self.client.delete_object(**which)
        except ClientError:
            if "Size" in version and self.is_locked(key, version["VersionId"]):
                return False
            raise
        return True

    def is_locked(self, key: str, version: str) -> bool:
        """Whether a version may not go yet. Raises ClientError."""
        try:
            found = self.client.get_object_retention(Bucket=self.name, Key=key, VersionId=version)
        except ClientError as error:
            if status(error) in (400, 404):
                return False
            raise
        until = found["Retention"].get("RetainUntilDate")
        return until is not None and until.timestamp() > now_ns() / 1e9 - _CLOCKS_S

    @contextlib.contextmanager
    def told(self, what: str) -> Iterator[None]:
        """Errors of the store as StorageError; nothing of what it answers is repeated but its code."""
        try:
            yield
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", status(error))
            raise StorageError(f"cannot {what} {self.name}: the store answers {code}; see to it") from error
        except BotoCoreError as error:
            raise StorageError(
                f"cannot {what} {self.name}: {type(error).__name__}; see that the store can be reached"
            ) from error

    def close(self) -> None:
        """Let connections go."""
        self.client.close()


def status(error: ClientError) -> int:
    """The HTTP status of a refusal."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def checksum(sha256: str) -> str:
    """A hash as S3 writes it."""
    return base64.b64encode(bytes.fromhex(sha256)).decode("ascii")


def _keys(path: Path) -> dict[str, str]:
    """The keys in a file of AWS's form, its section `default`; it must be its owner's alone."""
    names = ("aws_access_key_id", "aws_secret_access_key")
    parser = configparser.ConfigParser(interpolation=None)
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise CentralError(f"{path} holds secrets and others may open it; run: chmod 600 {path}")
        parser.read_string(path.read_text(encoding="utf-8"))
        return {name: parser["default"][name] for name in names}
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise CentralError(f"cannot read the store's keys in {path}: {reason}; check central.toml") from error
    except (configparser.Error, KeyError, UnicodeDecodeError):
        raise CentralError(f"{path} needs a section [default] with {' and '.join(names)}") from None
