"""Faults from outside a centre: its database goes, its clock jumps, another centre works beside it."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from benchmarks.fault_boundaries import scene
from benchmarks.fault_scene import DAY_S, WAIT_S, Database, Scene, Tally, an_edge

JUMPS: Final = ((DAY_S,), (-DAY_S,), (DAY_S, -DAY_S), (-DAY_S, DAY_S))
"""In seconds; between two of them every loop has had its round."""

ROUND_S: Final = 3.0


def _load(site: Scene, count: int, faults: Callable[[], None]) -> Tally:
    """Edges of as many places of their own, while `faults` happen in this thread; then all is counted."""

    def send() -> None:
        for n in range(count):
            edge = an_edge("overheating", f"cam-{n}", f"place-{n}", site.now())
            site.take(edge, which=n % len(site.centres))

    sender = threading.Thread(target=send, name="load")
    sender.start()
    faults()
    sender.join()
    ended = site.settle()
    tally = site.count()
    if len(site.accepted) != count:
        tally.wrong.append(f"{count - len(site.accepted)} edges were never taken")
    if not ended:
        tally.wrong.append("it never came to its end")
    return tally


def database_restarts(folder: Path, database: Database, restarts: int, edges: int) -> Tally:
    """PostgreSQL stopped in turn as by an operator and as by a crash, and started again, under load.

    A page whose receipt the stop cut off goes again, so each restart counts as a kill.
    """
    server = database.server
    assert server is not None, "SQLite has no server"
    with scene(folder, database) as site:

        def faults() -> None:
            for n in range(restarts):
                time.sleep(random.uniform(0.2, 1.0))
                server.stop(signal.SIGQUIT if n % 2 else signal.SIGINT)
                time.sleep(random.uniform(0.0, 0.5))
                server.start()
                site.kills += 1

        site.inbox.slow_s = 0.05
        site.start()
        return _load(site, edges, faults)


def two_centres(folder: Path, database: Database, kills: int, edges: int) -> Tally:
    """Two centres on one database, both taking edges and both delivering; one or the other is killed."""
    with scene(folder, database, centres=2) as site:

        def faults() -> None:
            for _ in range(kills):
                time.sleep(random.uniform(0.3, 1.5))
                site.kill(random.randrange(2))
                site.revive()

        site.inbox.slow_s = 0.05
        site.start(0)
        site.start(1)
        return _load(site, edges, faults)


def clock_jump(folder: Path, database: Database, jumps: Sequence[float]) -> Tally:
    """The clock jumps while one page is due, one is leased by a centre that is killed, one alarm waits for
    its escalation and one is shelved. Then each must have its page, and nothing may be sent for ever."""
    with scene(folder, database) as site:
        site.start()
        shelved, waiting, due, leased, later = (
            an_edge("overheating", f"cam-{name}", name, site.now())
            for name in ("shelved", "waiting", "due", "leased", "later")
        )
        site.take(shelved)
        site.take(waiting)
        quiet, escalating = site.alarm_of(shelved), site.alarm_of(waiting)
        for alarm in (quiet, escalating):
            site.wait(lambda alarm=alarm: site.inbox.pages("/ana", alarm), "the first pages")
        site.post_as_staff(f"/alarms/{quiet}/shelve", minutes="60", reason="works")
        site.inbox.refusing = lambda page: 503 if page["place"] == "due" else 0
        tries = site.inbox.tries
        site.take(due)
        site.wait(lambda: site.inbox.tries > tries, "the page that is refused for now")
        site.inbox.slow_s = 2.0
        site.take(leased)
        taken = site.alarm_of(leased)
        site.wait(lambda: site.inbox.pages("/ana", taken), "the page that is being sent")
        site.kill()
        site.inbox.slow_s = 0.0
        for n, jump in enumerate(jumps):
            site.move(jump)
            site.revive()
            if n + 1 < len(jumps):
                site.ready()
                time.sleep(ROUND_S)
        site.inbox.refusing = lambda _: 0
        site.take(an_edge("overheating", later.source, later.place, site.now()))
        site.wait(lambda: site.inbox.pages("/ben", escalating), "the escalation")
        site.wait(lambda: len(site.inbox.pages(alarm=quiet)) > 1, "the page after the silence")
        ended = site.settle()
        tries = site.inbox.tries
        time.sleep(ROUND_S)
        tally = site.count()
        if not ended:
            tally.wrong.append("it never came to its end")
        if site.inbox.tries != tries:
            tally.wrong.append("pages go on and on")
        if site.ahead_s - sum(jumps) > 20 * WAIT_S:
            tally.wrong.append(f"it took {site.ahead_s - sum(jumps):.0f} s by the clock")
        return tally
