"""Instants and days around a given now, as the keeper writes them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True)
class Times:
    """Everything is counted from `now_ns`."""

    now_ns: int

    @property
    def now(self) -> datetime:
        """The same as a datetime in UTC."""
        return datetime.fromtimestamp(self.now_ns // 1_000_000_000, UTC)

    def ago(self, **length: float) -> str:
        """So long ago, ISO 8601: `ago(minutes=3)`."""
        return (self.now - timedelta(**length)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def day(self, days_ago: int) -> str:
        """The day so many days ago."""
        return (self.now - timedelta(days=days_ago)).strftime("%Y-%m-%d")
