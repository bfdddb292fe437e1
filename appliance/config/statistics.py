"""The section [statistics] of box.toml: how long totals are kept, and which access points they may name."""

from dataclasses import dataclass

from appliance.config.values import outside, wrong_macs

ACCESS_POINT_LIMIT = 4000
"""With every VLAN they make fewer than 8,192 places; statistics number their cells on the strength of it."""


@dataclass(frozen=True)
class StatisticsConfig:
    """`access_points` are MACs of the site's own access points: no other is ever named in statistics.

    Statistics name nobody, so they may outlive the records: `keep_days` lets a month be held against the
    same month a year before.
    """

    access_points: tuple[str, ...] = ()
    keep_days: int = 400

    def __post_init__(self) -> None:
        """Raises ValueError('key: what is wrong') for a value that cannot be meant."""
        for key, wrong in (
            ("access_points", wrong_macs(self.access_points, ACCESS_POINT_LIMIT)),
            ("keep_days", outside(self.keep_days, 1, 4000)),
        ):
            if wrong:
                raise ValueError(f"{key}: {wrong}")
