"""Custody in a bucket of its own, without versions and without lock: what is deleted there is gone."""

from collections.abc import Iterator

from botocore.exceptions import ClientError

from appliance.central.stores.bucket import Bucket, checksum, status
from appliance.central.stores.paths import checked, checked_prefix, is_path
from appliance.model.errors import StorageError
from appliance.vault import canonical


class BucketCustody:
    """A `custody.Custody` in a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._client = bucket.client

    def put(self, path: str, content: bytes) -> None:
        """See `custody.Custody`."""
        key = checked(path)
        if not self._put(key, content, IfNoneMatch="*") and self.get(path) != content:
            self._put(key, content)

    def get(self, path: str) -> bytes:
        """See `custody.Custody`."""
        with self._bucket.told("read from the bucket"):
            try:
                answer = self._client.get_object(Bucket=self._bucket.name, Key=checked(path))
            except ClientError as error:
                if status(error) == 404:
                    raise KeyError(path) from None
                raise
            return bytes(answer["Body"].read())

    def destroy(self, path: str) -> None:
        """See `custody.Custody`."""
        key = checked(path)
        try:
            self._put(key, bytes(len(self.get(path))))
        except KeyError:
            return
        if not self._bucket.erase(key) or any(left["Key"] == key for left in self._bucket.versions(key)):
            raise StorageError(
                f"the bucket {self._bucket.name} keeps an envelope that must go; take its lock away"
            )

    def names(self, prefix: str) -> Iterator[str]:
        """See `custody.Custody`."""
        with self._bucket.told("list the bucket"):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket.name, Prefix=checked_prefix(prefix)):
                yield from (found["Key"] for found in page.get("Contents", []) if is_path(found["Key"]))

    def close(self) -> None:
        """See `custody.Custody`."""
        self._bucket.close()

    def _put(self, key: str, content: bytes, **condition: str) -> bool:
        """Write; false if the key is taken and that was the condition."""
        with self._bucket.told("write to the bucket"):
            try:
                self._client.put_object(
                    Bucket=self._bucket.name, Key=key, Body=content,
                    ChecksumSHA256=checksum(canonical.sha256(content)), **condition,
                )  # fmt: skip
            except ClientError as error:
                if condition and status(error) in (409, 412):
                    return False
                raise
        return True
