"""The targets there are, each with everything that a target must do."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.central import places
from appliance.central.receiver import Receiver
from appliance.config.replication import ReplicationConfig
from appliance.replication.https_target import HttpsTarget
from appliance.replication.targets import Target
from tests.central.servers import FOLDER, SERVERS, config_of
from tests.contracts.target_suite import Standing, TargetSuite, site
from tests.system.central_boxes import Place

__all__ = ["site"]

UNBRIDLED = ReplicationConfig(rate_kbit=10_000_000, floor_kbit=10_000_000)


WAYS = [(way, kind) for way in ("here", "https") for kind in (FOLDER, SERVERS)]


@pytest.fixture(scope="module", params=WAYS, ids="-on-".join)
def standing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    """A central, reached on this machine or over HTTPS."""
    way, kind = request.param
    folder: Path = tmp_path_factory.mktemp("central") / "lyon"
    central = places.create(folder, config_of(kind, request), ["127.0.0.1"])
    servers = [request.getfixturevalue(name) if kind == SERVERS else None for name in ("s3", "postgresql")]
    place = Place(folder)

    def connect() -> Target:
        if way == "here":
            return Receiver(central)
        return HttpsTarget(place.url, central.identity, UNBRIDLED)

    try:
        if way == "https":
            place.start()
        yield Standing(central, connect, *servers)
    finally:
        place.end(signal.SIGTERM)
        central.close()


class TestTargets(TargetSuite):
    """All of it, of each."""
