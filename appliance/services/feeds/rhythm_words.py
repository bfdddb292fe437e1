"""A silence in one sentence for a person, with what to look at."""

from appliance.feeds.rhythm import Rhythm
from appliance.model.feeds import DeclaredSource, FeedKind
from appliance.model.instants import to_iso

_SETTINGS = {
    FeedKind.NETFLOW: "NetFlow/IPFIX",
    FeedKind.SFLOW: "sFlow",
    FeedKind.SYSLOG: "syslog",
    FeedKind.RADIUS: "RADIUS accounting",
    FeedKind.CLOUDTRAX: "presence reporting",
}


def sentence(source: DeclaredSource, access_point: str, rhythm: Rhythm, now_ns: int) -> str:
    """`access_point` is its name, or "" where the source itself is silent."""
    if rhythm.last_ns:
        told = f"has said nothing since {to_iso(rhythm.last_ns)[:19]}Z"
    else:
        told = "has said nothing since it was declared"
    if rhythm.is_learned(now_ns) and rhythm.last_ns:
        told += f"; it usually speaks every {duration(rhythm.usual_s(now_ns))} at this time of the day"
    settings = " and ".join(_SETTINGS[kind] for kind in source.kinds) or "feeds"
    if access_point:
        return (
            f'access point {named(access_point)} (of "{source.label}") {told}; '
            f'check its power and the {settings} settings of "{source.label}"'
        )
    network = f' (network "{source.network}")' if source.network else ""
    return (
        f'source "{source.label}"{network} {told}; check its power, its network and its {settings} settings'
    )


def named(access_point: str) -> str:
    """A name in quotes; one that has none is told by its hash."""
    return f"without a name {access_point}" if access_point.startswith("#") else f'"{access_point}"'


def duration(seconds: float) -> str:
    """`30 s`, `5 min`, `8 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
