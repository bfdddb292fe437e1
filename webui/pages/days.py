"""Days of the site's calendar that a page asks for. Pure."""

from datetime import UTC, date, datetime, timedelta

from webui.formats import ZONE


def today(now_ns: int, later: int = 0) -> str:
    """The day of the site at this instant, or so many days later, ISO 8601."""
    there = datetime.fromtimestamp(now_ns // 1_000_000_000, UTC).astimezone(ZONE).date()
    return (there + timedelta(days=later)).isoformat()


def is_day(text: str) -> bool:
    """Whether this is a day, ISO 8601."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
