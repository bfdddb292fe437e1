"""The keeper's end of the socket: takes questions of those who may ask, has them answered, sends the answers.

One thread reads and writes for all connections and waits for none of them; who is slow is let go. Questions
are answered by a few threads, those that take seconds by others, so that they hold up no page.
"""

import contextlib
import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from appliance.control.exchanges import Exchange, accepted
from appliance.control.messages import ANSWER_LIMIT, Answer, Question, Refused, Request
from appliance.model.errors import ControlError
from appliance.runtime import local_socket

CONNECTIONS = 128
"""At once; who is longest without a whole question goes when there are more."""

QUESTION_S, ANSWER_S = 5.0, 15.0
"""How long a question may take to come, an answer to be fetched."""

WAITING_BYTES = 4 * ANSWER_LIMIT
"""Memory of answers that are not fetched; who has the oldest goes when there is more."""

THREADS, SLOW_THREADS = 6, 4

_requests = msgspec.json.Decoder(Request)
_encode = msgspec.json.Encoder().encode
_NOT_UNDERSTOOD = Refused("ControlError", "the question is not understood; restart the page and the keeper")
_TOO_LONG = Refused("ControlError", "the answer is too long; ask for less, such as fewer days")


class Server:
    """`start` opens the socket and answers, `stop` ends it.

    `answer` must not raise. `users` may ask, by their numbers; root and our own user always may. Questions
    of the types `slow` are answered by threads of their own.
    """

    def __init__(
        self,
        path: Path,
        answer: Callable[[Request], Answer],
        users: Iterable[int] = (),
        slow: Iterable[type[Question]] = (),
    ) -> None:
        self._path = path
        self._answer = answer
        self._others = frozenset(users)
        self._users = self._others | {0, os.geteuid()}
        self._slow = frozenset(slow)
        self._exchanges: dict[int, Exchange] = {}
        self._answered: deque[tuple[Exchange, bytes]] = deque()
        self._stopping = threading.Event()

    def start(self) -> None:
        """Raises OSError where the socket cannot be made, ControlError where another process has it."""
        if _is_answered(self._path):
            raise ControlError(f"another keeper answers at {self._path}; end it, or give another --control")
        # Whoever is not let in by the folder is not let in by the kernel's word for his user either.
        self._listener = local_socket.listen(self._path, 0o666 if self._others else 0o600)
        self._listener.setblocking(False)
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._selector.register(self._wake_out, selectors.EVENT_READ, None)
        self._quick_ones = ThreadPoolExecutor(THREADS, "answer")
        self._slow_ones = ThreadPoolExecutor(SLOW_THREADS, "answer-slowly")
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more questions; those that are being answered are finished, though nobody hears them."""
        self._stopping.set()
        self._wake()
        self._thread.join()
        self._quick_ones.shutdown(cancel_futures=True)
        self._slow_ones.shutdown(cancel_futures=True)
        self._wake_in.close()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                for key, _ in self._selector.select(timeout=1.0):
                    self._serve(key.fileobj)
                self._send_answers()
                self._let_go()
        finally:
            self._path.unlink(missing_ok=True)
            for exchange in list(self._exchanges.values()):
                self._end(exchange)
            self._selector.close()
            self._listener.close()
            self._wake_out.close()

    def _serve(self, ready: object) -> None:
        if ready is self._listener:
            for _ in range(CONNECTIONS):
                connection = accepted(self._listener, self._users.__contains__)
                if connection is None:
                    break
                self._take(Exchange(connection, time.monotonic() + QUESTION_S))
        elif ready is self._wake_out:
            self._wake_out.recv(4096)
        elif isinstance(ready, Exchange) and ready.fileno() in self._exchanges:
            try:
                self._go_on(ready)
            except (BlockingIOError, InterruptedError):
                return
            except (OSError, ValueError):
                self._end(ready)

    def _take(self, exchange: Exchange) -> None:
        if len(self._exchanges) >= CONNECTIONS:
            asking = [one for one in self._exchanges.values() if not one.is_answering]
            if not asking:
                exchange.close()
                return
            self._end(min(asking, key=lambda one: one.until))
        self._exchanges[exchange.fileno()] = exchange
        self._selector.register(exchange, selectors.EVENT_READ)

    def _go_on(self, exchange: Exchange) -> None:
        if exchange.is_answering:
            if exchange.send():
                self._end(exchange)
            return
        question = exchange.receive()
        if question is not None:
            exchange.is_answering = True
            exchange.until = float("inf")
            self._selector.unregister(exchange)  # until its answer is there
            self._have_answered(exchange, question)

    def _have_answered(self, exchange: Exchange, question: bytes) -> None:
        try:
            request = _requests.decode(question)
        except (msgspec.DecodeError, RecursionError):
            self._answered.append((exchange, _encode(_NOT_UNDERSTOOD)))
            return
        threads = self._slow_ones if type(request.ask) in self._slow else self._quick_ones
        threads.submit(self._work, exchange, request)

    def _work(self, exchange: Exchange, request: Request) -> None:
        content = _encode(self._answer(request))
        if len(content) > ANSWER_LIMIT:
            content = _encode(_TOO_LONG)
        self._answered.append((exchange, content))
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full, so that it wakes anyway; or stopped
            self._wake_in.send(b"\0")

    def _send_answers(self) -> None:
        while self._answered:
            exchange, content = self._answered.popleft()
            exchange.give(content)
            exchange.until = time.monotonic() + ANSWER_S
            self._selector.register(exchange, selectors.EVENT_WRITE)

    def _let_go(self) -> None:
        now = time.monotonic()
        for exchange in [one for one in self._exchanges.values() if one.until < now]:
            self._end(exchange)
        waiting = [one for one in self._exchanges.values() if one.answer]
        size = sum(len(one.answer) for one in waiting)
        for exchange in sorted(waiting, key=lambda one: one.until):
            if size <= WAITING_BYTES:
                break
            size -= len(exchange.answer)
            self._end(exchange)

    def _end(self, exchange: Exchange) -> None:
        self._exchanges.pop(exchange.fileno(), None)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(exchange)
        exchange.close()


def _is_answered(path: Path) -> bool:
    """Whether a process that lives listens there, if only with its queue full."""
    try:
        local_socket.connect(path, 0.5).close()
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True
