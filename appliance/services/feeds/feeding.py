"""Feeding files: what devices told, out of captures, datagrams and logs that somebody hands over.

Whoever gives a file vouches for who speaks in it: senders that are declared are recorded under their labels
and read with their settings, others under the file's name. In captures a frame's own time is the time of
receipt; of other files nobody knows it, and what a device states of time is believed.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from appliance.capture.files import is_capture
from appliance.model.errors import CaptureError
from appliance.model.feeds import DeclaredSource, FeedKind
from appliance.model.reasons import Refusal
from appliance.model.source_names import of_fed_file
from appliance.services.feeds.fed import FedMessages, Order, Outcome
from appliance.services.feeds.fed_captures import Captures
from appliance.services.feeds.fed_file import FedFile
from appliance.services.feeds.fed_plain import PlainFiles
from appliance.services.feeds.intake import Intake
from appliance.services.feeds.lines import rotated
from appliance.services.recording.recording import Recording
from appliance.wire.cargo import TCP, UDP


class Feeding:
    """Feeds files to an intake at work, one after the other; logs that were rotated, the oldest first."""

    def __init__(
        self,
        at_work: Recording[Intake],
        order: Order,
        declared: Sequence[DeclaredSource],
        progress: Callable[[int], None],
    ) -> None:
        self._feed = FedMessages(at_work, order, declared, progress)
        self._captures = Captures(self._feed, at_work.config.listen)

    def run(self, paths: Sequence[Path]) -> None:
        """A file that is nothing of the kind is counted, noted in the report, and the next one follows."""
        once = list({path.resolve(): path for path in paths}.values())
        if len(once) < len(paths):
            self._feed.note("a file was given twice and is recorded once")
        if self._feed.order.kind is FeedKind.SYSLOG:
            once = rotated(once)
        plain = PlainFiles(self._feed, once)
        for path in once:
            self._feed.outcome = Outcome()
            try:
                self._read(path, plain)
            except CaptureError as error:
                self._refuse(path, Refusal.NOT_A_FEED, str(error))
            self._feed.done_bytes += path.stat().st_size
            if self._feed.is_stopping:
                break
        self._feed.close()

    def _read(self, path: Path, plain: PlainFiles) -> None:
        with FedFile(path) as file:
            captured = is_capture(file.start)
            if not captured:
                plain.read(file)
                if file.damaged:
                    what = f"{path} is damaged or cut off; what came before was read"
                    self._refuse(path, Refusal.CAPTURE_DAMAGED, what)
        if captured:
            self._captures.read(path)
        self._judge(path, captured)

    def _judge(self, path: Path, captured: bool) -> None:
        """Say what a person must know of what this file came to."""
        outcome, kind = self._feed.outcome, self._feed.order.kind
        if not outcome.messages and not outcome.refused:
            if captured:
                ports = ", ".join(map(str, sorted(self._captures.ports(UDP) | self._captures.ports(TCP))))
                what = f"{path} holds nothing that was sent to {ports}, where {kind} usually is; give --port"
                self._refuse(path, Refusal.NOT_A_FEED, what)
            else:
                self._feed.note(f"{path} is empty")
        elif not outcome.is_of_the_kind:
            self._refuse(path, Refusal.NOT_A_FEED, f"{path} holds nothing of {kind}: is it of another kind?")
        if outcome.undeclared:
            count = len(outcome.undeclared)
            senders = "1 sender" if count == 1 else f"{count} senders"
            self._feed.note(f"{path} has {senders} that nobody declared: recorded because you gave the file")

    def _refuse(self, path: Path, reason: Refusal, sentence: str) -> None:
        self._feed.number(of_fed_file(path.name), reason)
        self._feed.note(sentence)
