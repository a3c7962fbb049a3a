"""Processes that answer pickled requests, without torch, without copies of the caller.

They are started by the path of a script rather than through :mod:`multiprocessing`, which would
fork a process that has threads, or import the user's script a second time.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import Any

QUEUED = 4  # Requests for each process that wait or are worked on: what is made while it starts.


def usable_cores() -> int:
    """The number of CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class WorkerProcess:
    """A process that runs a script, which answers one request after the other.

    Args:
        script: A file that reads pickles from standard input and writes one for each.
        what: What the process does, for messages.

    Example:
        >>> from pyg_topn.utils import _smiles_writer
        >>> atom = dict(num_nodes=[1], num_bonds=[0], atom_type=[0], begin=[], end=[], bond_type=[])
        >>> from array import array
        >>> graphs = {name: array("B", values) for name, values in atom.items()}
        >>> with WorkerProcess(_smiles_writer.__file__, "writes SMILES") as worker:
        ...     worker.ask((graphs, ["C"], ["SINGLE"]))
        ['C']
    """

    def __init__(self, script: str | os.PathLike[str], what: str) -> None:
        self.script, self.what = Path(script), what

    def __enter__(self) -> WorkerProcess:
        code = f"import runpy; runpy.run_path({os.fspath(self.script)!r}, run_name='__main__')"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            # Ctrl-C is for the caller, who ends its processes: they have nothing to say about it.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        return self

    def ask(self, request: Any) -> Any:
        """Send a request and wait for the answer.

        Raises:
            RuntimeError: If the process ends instead.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            pickle.dump(request, self.process.stdin)
            self.process.stdin.flush()
            return pickle.load(self.process.stdout)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
            raise RuntimeError(
                f"Expected an answer of the process that {self.what} "
                f"(got its end, exit code {self.process.wait()}). Is memory short?"
            ) from error

    def kill(self) -> None:
        """End the process at once; whoever waits for an answer gets the error."""
        self.process.kill()

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def answer_in_order(
    requests: Iterable[Any], script: str | os.PathLike[str], what: str, processes: int
) -> Iterator[Any]:
    """Answer requests in several processes, in their order, while the next ones are being made.

    Of the requests, :data:`QUEUED` for each process are taken before the first answer is asked for.
    However the iteration ends, by its end, an error, Ctrl-C or :meth:`close`, no process is left.

    Raises:
        RuntimeError: If a process ends early.
    """
    with ExitStack() as stack:
        workers = [stack.enter_context(WorkerProcess(script, what)) for _ in range(processes)]
        idle: SimpleQueue[WorkerProcess] = SimpleQueue()
        for worker in workers:
            idle.put(worker)

        def ask(request: Any) -> Any:
            worker = idle.get()
            try:
                return worker.ask(request)
            finally:
                idle.put(worker)

        # A thread for every process: threads only wait for answers.
        threads = stack.enter_context(ThreadPoolExecutor(processes))
        # Undone first, as the threads end when they have their answers or none can come any more.
        for worker in workers:
            stack.callback(worker.kill)
        waiting: deque[Future[Any]] = deque()
        for request in requests:
            waiting.append(threads.submit(ask, request))
            while waiting and (len(waiting) > QUEUED * processes or waiting[0].done()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
