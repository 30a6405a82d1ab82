# SPDX-License-Identifier: MIT
"""Boots side by side, and their judgements in one order.

A chain is a generator: boots that come one after the other, yielding a Wish where it would have to
wait, and a Judgement where a boot is over. One thread runs all of them, for QEMU asks to be killed
when the thread that made it ends. How many run at a time changes nothing but the time: judgements
come in the order of the chains, and behind the last one that counts nothing is told.
"""
from __future__ import annotations

import math
import select
import time
from typing import Callable, Dict, Generator, List, Sequence, Tuple, Union

from .evidence import Judgement
from .qemu import Wish

Chain = Generator[Union[Wish, Judgement], None, None]

AT_ONCE = Wish(-1, 0.0)
SIGNAL_SECONDS = 1.0


class Crew:
    """`is_last` tells whether nothing shall follow a judgement, neither in its chain nor behind."""

    def __init__(self, chains: Sequence[Chain], size: int, is_last: Callable[[Judgement], bool]
                 ) -> None:
        self._chains = tuple(chains)
        self._size = size
        self._is_last = is_last
        self._wishes: Dict[int, Wish] = {}  # of the chains that run, by their places
        self._told: List[List[Judgement]] = [[] for _ in chains]  # and not yet given on
        self._started = 0
        self._end = len(chains)

    def judgements(self) -> Generator[Tuple[int, Judgement], None, None]:
        """With the place of the chain that each belongs to."""
        place = 0
        try:
            while place < self._end:
                if self._told[place]:
                    yield place, self._told[place].pop(0)
                elif place < self._started and place not in self._wishes:
                    place += 1
                else:
                    self._start()
                    self._go_on()
        finally:
            for chain in self._chains:
                chain.close()

    def leftovers(self) -> List[Judgement]:
        """What was known, but had to wait for others, when it all was interrupted."""
        return [each for told in self._told for each in told]

    def _start(self) -> None:
        while len(self._wishes) < self._size and self._started < self._end:
            self._started += 1
            self._advance(self._started - 1)

    def _go_on(self) -> None:
        """With the chains whose wishes are fulfilled; waits for the first of them."""
        descriptors = {wish.descriptor for wish in self._wishes.values()}
        ready = wait_for(descriptors - {AT_ONCE.descriptor},
                      min((wish.deadline for wish in self._wishes.values()), default=0.0))
        now = time.monotonic()
        for place, wish in list(self._wishes.items()):
            is_fulfilled = wish.descriptor in ready or wish.deadline <= now
            if is_fulfilled and place < self._end:
                self._advance(place)

    def _advance(self, place: int) -> None:
        step = next(self._chains[place], None)
        if isinstance(step, Wish):
            self._wishes[place] = step
        elif step is None:
            self._wishes.pop(place, None)
        else:
            self._told[place].append(step)
            self._wishes[place] = AT_ONCE  # whoever waits for the judgement comes first
            if self._is_last(step):
                self._cut_behind(place)

    def _cut_behind(self, place: int) -> None:
        """Chains before it may still have something to tell."""
        self._end = place + 1
        for each in [each for each in self._wishes if each >= place]:
            self._chains[each].close()
            del self._wishes[each]


def wait_for(descriptors: "set[int]", deadline: float) -> "set[int]":
    """Those that can be read, until the time is up. A signal that comes just before the system is
    asked does not wake it, so Python is let in every second to see it."""
    poll = select.poll()
    for each in descriptors:
        poll.register(each, select.POLLIN)
    while True:
        seconds = max(0.0, deadline - time.monotonic())
        ready = poll.poll(math.ceil(min(seconds, SIGNAL_SECONDS) * 1000))
        if ready or seconds <= SIGNAL_SECONDS:
            return {each for each, _ in ready}
