"""The load: many sites' connections from one process on one core, and how long each deposit took.

A site keeps its connection, as a box does, and sends one object after the other over it.
"""

import asyncio
import contextlib
import ssl
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bench.central_sites import Deposit


@dataclass
class Outcome:
    """Seconds of each deposit that was acknowledged, and how often what else was answered."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    wall_s: float = 0.0

    def quantile(self, share: float) -> float:
        """Milliseconds within which this share of deposits had its receipt."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3 if ordered else float("nan")

    @property
    def per_second(self) -> float:
        return len(self.seconds) / self.wall_s


class Line:
    """A connection of one site to central, opened when first used and again when it was closed."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._port = port
        self._context = context
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def connect(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self._port, ssl=self._context, server_hostname="127.0.0.1", limit=1 << 16
        )

    async def greet(self) -> None:
        """Open the connection by a first request, as nobody stays who says nothing."""
        await self.connect()
        assert self._reader is not None
        assert self._writer is not None
        self._writer.write(b"GET /v1/identity HTTP/1.1\r\nHost: central\r\n\r\n")
        head = await self._reader.readuntil(b"\r\n\r\n")
        await self._reader.readexactly(_length(head))

    async def put(self, deposit: Deposit) -> str:
        """The status that was answered, or the name of the error."""
        failed = ""
        for fresh in (False, True):
            try:
                if self._writer is None or fresh:
                    await self.connect()
                assert self._reader is not None
                assert self._writer is not None
                self._writer.write(deposit.request())
                await self._writer.drain()
                head = await self._reader.readuntil(b"\r\n\r\n")
                await self._reader.readexactly(_length(head))
                if b"connection: close" in head.lower():
                    self.close()
                return head[9:12].decode()
            except (OSError, asyncio.IncompleteReadError) as error:
                self.close()
                failed = type(error).__name__
        return failed

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def end(self) -> None:
        """Close, and see it closed."""
        writer = self._writer
        self.close()
        if writer is not None:
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or b"0")


async def steady(
    lines: Sequence[Line], work: Sequence[Sequence[Sequence[Deposit]]], every_s: float
) -> Outcome:
    """Each site sends what is due every `every_s`, all sites spread over it; timed from when it was due."""
    outcome = Outcome()
    began = time.perf_counter() + 0.2

    async def site(number: int) -> None:
        for turn, deposits in enumerate(work[number]):
            due = began + every_s * (turn + number / len(lines))
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            for deposit in deposits:
                status = await lines[number].put(deposit)
                outcome.statuses[status] += 1
                now = time.perf_counter()
                if status == "200":
                    outcome.seconds.append(now - due)
                due = now

    await asyncio.gather(*(site(number) for number in range(len(lines))))
    outcome.wall_s = time.perf_counter() - began
    return outcome


async def flat_out(lines: Sequence[Line], work: Sequence[Iterable[Deposit]]) -> Outcome:
    """Every line sends its next object as soon as it has the receipt of the last."""
    outcome = Outcome()
    began = time.perf_counter()

    async def site(line: Line, deposits: Iterable[Deposit]) -> None:
        for deposit in deposits:
            at = time.perf_counter()
            status = await line.put(deposit)
            outcome.statuses[status] += 1
            if status == "200":
                outcome.seconds.append(time.perf_counter() - at)

    await asyncio.gather(*(site(line, deposits) for line, deposits in zip(lines, work, strict=True)))
    outcome.wall_s = time.perf_counter() - began
    return outcome
