"""Two threads of one process against two processes of one thread each, in turn, round after round.

`python benches/threads.py [--jobs chain,search] [--rounds N] [--seconds S]`. Two processes share nothing but
the machine, so their rows a second are what its two cores can do; the ratio is what is left of it in one process, with
all that Python does between calls. Jobs that take one thread less than 10 ms are left out.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import time
from multiprocessing.connection import Connection

SHORTEST_CALL_S = 0.01


def work(connection: Connection, threads: int) -> None:
    """Prepares the jobs it is told by name, makes as many calls as it is told by number, and says the seconds."""
    import jobs
    from tapeout import _core

    _core.configure(threads=threads)
    call = None
    while (asked := connection.recv()) is not None:
        if isinstance(asked, str):
            job = jobs.JOBS[asked]
            call = jobs.tapeout_call(job, job.columns(job.rows))
            call()
            asked = 1
        assert call is not None
        start = time.perf_counter()
        for _ in range(asked):
            call()
        connection.send(time.perf_counter() - start)


def measure(names: list[str], rounds: int, seconds: float) -> dict[str, list[float]]:
    """For each job a ratio of rows a second for each round."""
    context = multiprocessing.get_context("spawn")
    workers, processes = [], []
    for threads in (1, 1, 2):
        here, there = context.Pipe()
        process = context.Process(target=work, args=(there, threads), daemon=True)
        process.start()
        workers.append(here)
        processes.append(process)

    def spent(those: list[Connection], asked: str | int) -> list[float]:
        for worker in those:
            worker.send(asked)
        return [worker.recv() for worker in those]

    found: dict[str, list[float]] = {}
    shuffle = random.Random(1).shuffle
    for name in names:
        one = max(spent(workers[:2], name))
        spent(workers[2:], name)
        if one < SHORTEST_CALL_S:
            continue
        calls = max(1, round(seconds / one))
        found[name] = []
        for _ in range(rounds):
            rates = {}
            order = [workers[:2], workers[2:]]
            shuffle(order)
            for those in order:
                each = 2 * calls // len(those)
                rates[len(those)] = sum(each / taken for taken in spent(those, each))
            found[name].append(rates[1] / rates[2])
    for worker, process in zip(workers, processes, strict=True):
        worker.send(None)
        process.join()
    return found


def main() -> None:
    import jobs

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", default=",".join(jobs.JOBS))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.3, help="of the calls of one round, about")
    asked = parser.parse_args()
    os.environ["POLARS_MAX_THREADS"] = "2"
    print(json.dumps(measure(asked.jobs.split(","), asked.rounds, asked.seconds), indent=1))


if __name__ == "__main__":
    main()
