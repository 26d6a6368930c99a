"""Who is computed next: requests wait by adapter, and engines of one machine take turns."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from spillover.engine.request import Request

LINGER_S = 0.004
TURN_STEPS = 512
"""Tokens that one adapter decodes before the others, which wait for it, have their turn."""


class Waiting:
    """Requests that wait, by adapter. Filled from any thread, emptied by the engine's."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Request | None] = queue.Queue()
        self._waiting: dict[str | None, deque[Request]] = {}
        self._now: str | None = None
        self._steps = 0

    def put(self, request: Request | None) -> None:
        """Add a request; None wakes the engine that waits for one."""
        self._queue.put(request)

    def next(self, flying: Mapping[str | None, int], room: int, *, admit: bool) -> tuple[str | None, list[Request]]:
        """The adapter whose turn it is, and its requests to admit: blocks when there is nothing to do.

        Args:
            flying: Adapter to the number of its answers in flight, where there are any.
            room: Most answers decoded together.
            admit: Whether answers in flight are joined now.
        """
        idle = not flying and not any(self._waiting.values())
        self._take(block=idle)
        self._choose(flying)
        self._steps += 1
        mine = self._waiting.get(self._now, deque())
        out: list[Request] = []
        over = self._steps > TURN_STEPS and any(w for a, w in self._waiting.items() if a != self._now)
        if (admit or not flying.get(self._now)) and not over:  # what is in flight ends first: caches are not kept for two
            while mine and len(out) < room - flying.get(self._now, 0):
                request = mine.popleft()
                if not request.future.cancelled():
                    out.append(request)
        return self._now, out

    def back(self, requests: list[Request]) -> None:
        """Requests that were not admitted after all."""
        for request in requests:
            self._queue.put(request)

    def fail(self, error: BaseException) -> None:
        """Give `error` to everything that waits."""
        for request in [r for waiting in list(self._waiting.values()) for r in list(waiting)]:
            request.fail(error)
        while not self._queue.empty():
            item = self._queue.get_nowait()
            if item is not None:
                item.fail(error)

    def _choose(self, flying: Mapping[str | None, int]) -> None:
        """Stay with an adapter until it has nothing left, or has had its turn and none in flight while another waits."""
        others = [a for a, waiting in self._waiting.items() if waiting and a != self._now]
        mine = bool(self._waiting.get(self._now)) and self._steps <= TURN_STEPS
        if mine or flying.get(self._now) or not others:
            return
        # Who had a turn goes to the end of the line.
        self._waiting[self._now] = self._waiting.pop(self._now, deque())
        self._now, self._steps = others[0], 0

    def _take(self, *, block: bool) -> None:
        """Sort what has come by adapter; a burst is waited for a moment, so that it shares a batch."""
        got = False
        while True:
            try:
                item = self._queue.get(block=block, timeout=LINGER_S if got else None)
            except queue.Empty:
                return
            if item is None:
                return
            self._waiting.setdefault(item.adapter, deque()).append(item)
            got = True


class Turns:
    """A lock that is given in the order in which it was asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line: deque[threading.Event] = deque()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn, and pass it on at the end."""
        mine = threading.Event()
        with self._lock:
            self._line.append(mine)
            if self._line[0] is mine:
                mine.set()
        mine.wait()
        try:
            yield
        finally:
            with self._lock:
                self._line.popleft()
                if self._line:
                    self._line[0].set()
