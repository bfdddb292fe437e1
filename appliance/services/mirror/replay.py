"""Recording capture files, one after the other."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from appliance.capture.files import CaptureFile
from appliance.model.errors import CaptureError
from appliance.model.reasons import Refusal
from appliance.model.source_names import of_file
from appliance.services.mirror.recorder import Recorder
from appliance.services.recording.recording import Recording


def record_files(
    at_work: Recording[Recorder], paths: Sequence[Path], progress: Callable[[int], None]
) -> None:
    """Record capture files one after the other; `progress` is told the bytes read so far.

    A file that is no capture, or is damaged, is counted, noted in the report, and the next one follows. A
    file given twice is read once: read again among others its packets would count as new ones.
    """
    done = 0
    names = Counter(path.name for path in {path.resolve(): path for path in paths}.values())
    read: set[Path] = set()
    for path in paths:
        if path.resolve() in read:
            at_work.report.notes.append(f"{path} was given twice and is recorded once")
            continue
        read.add(path.resolve())
        name = path.name if names[path.name] == 1 else f"{path.resolve().parent.name}/{path.name}"
        source = at_work.recorder.begin_source(of_file(name))
        try:
            with CaptureFile(path) as capture:
                for frames in capture:
                    unread = source.refused[Refusal.LINK_TYPE.value]
                    at_work.recorder.take(frames)
                    if not unread and source.refused[Refusal.LINK_TYPE.value]:
                        at_work.report.notes.append(
                            f"{path} has frames of link type {frames.link_type}, which nothing here reads"
                        )
                    if at_work.is_due:
                        at_work.say()
                    progress(done + capture.read_bytes)
                    if at_work.stopping.is_set():
                        return
                if capture.damaged:
                    source.refused[Refusal.CAPTURE_DAMAGED.value] += capture.damaged
                    at_work.report.notes.append(
                        f"{path} is damaged or cut off: {capture.unread_bytes} bytes could not be read"
                    )
        except CaptureError as error:
            source.refused[Refusal.NOT_A_CAPTURE.value] += 1
            at_work.report.notes.append(str(error))
        done += path.stat().st_size
