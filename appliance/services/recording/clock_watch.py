"""The clock that dates every record, looked at while recording."""

import contextlib
from collections.abc import Sequence

from appliance.runtime.timekeeping import Jumps, clock_state
from appliance.services.recording.alarms import Alarms
from appliance.services.recording.counts import SourceCounts


class ClockWatch:
    """Says how good the clock is, and when it was set. Call `look` about once a second."""

    def __init__(self) -> None:
        self._jumps = Jumps()

    def look(self, sources: Sequence[SourceCounts], alarms: Alarms) -> int:
        """Measure and note; microseconds by which the clock jumped since the last look, mostly 0."""
        with contextlib.suppress(OSError):
            clock = clock_state()
            for source in sources:
                source.measure("clock_offset_us", clock.offset_us)
                source.measure("clock_error_us", clock.error_us)
                source.measure("clock_unsynchronised", int(not clock.synchronised))
            if clock.synchronised:
                alarms.lower("clock_unsynchronised")
            else:
                alarms.rise(
                    "clock_unsynchronised",
                    "nothing keeps the clock right, and the times of records are only as good as it; "
                    "install chrony and see 'chronyc tracking'",
                )
        jump_us = self._jumps.since_last()
        for source in sources if jump_us else ():
            source.noted["clock_stepped_forward" if jump_us > 0 else "clock_stepped_back"] += 1
            source.measure("clock_step_us", abs(jump_us))
        return jump_us
