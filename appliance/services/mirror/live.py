"""Recording an interface: the loop that takes blocks out of the kernel's ring."""

import time
from collections.abc import Callable

from appliance.capture.ring import Ring
from appliance.model.source_names import of_interface
from appliance.services.mirror.attendance import Attendance
from appliance.services.mirror.recorder import Recorder
from appliance.services.recording.counts import SourceCounts
from appliance.services.recording.presence_form import Means
from appliance.services.recording.recording import Recording

POLL_S = 0.1
MOST_SPELLS = 64
"""A link that flaps is stated spell by spell; so many are sealed at once."""


def record_interface(
    at_work: Recording[Recorder],
    interface: str,
    seconds: float | None,
    progress: Callable[[SourceCounts], None],
) -> None:
    """Record an interface until `seconds` have passed or a signal asks to stop.

    Whether it may be away at the start is for the caller to ask: here it is waited for.
    """
    recorder = at_work.recorder
    source = recorder.begin_source(of_interface(interface), live=True)
    at_work.attend(Means.SEEN)
    attendance = Attendance(interface, at_work.config.capture, source, recorder.alarms)
    until = None if seconds is None else time.monotonic() + seconds
    ring_bytes = at_work.config.capture.ring_mib << 20
    with Ring(interface, ring_bytes, attendance.program, may_wait=True) as ring:
        attendance.look(ring)
        while not at_work.stopping.is_set() and (until is None or time.monotonic() < until):
            link = ring.link
            frames = ring.read(POLL_S)
            if frames is not None:
                recorder.take(frames)
                attendance.count(frames)
            recorder.pass_time(time.time_ns())
            # What was plugged in again is silenced before anybody else can set it up.
            if ring.link is not link:
                attendance.hurry()
                attendance.look(ring)
            if at_work.is_due:
                attendance.look(ring)
                if len(source.spells(time.time_ns())) > MOST_SPELLS:
                    recorder.seal(time.time_ns())
                at_work.say()
                progress(source)
        ring.cease()
        for frames in ring.rest():  # what the kernel still holds
            recorder.take(frames)
            attendance.count(frames)
        ring.close()
        attendance.leave(ring)
