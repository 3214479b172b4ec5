"""Work distributed to threads, with results yielded as they arrive."""

from __future__ import annotations

import contextlib
import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from resi.machine.devices import torch_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import torch
    from torch import device
else:
    from resi.lazy import torch

# Libraries catch Ctrl-C in a way that does not end waiting for a lock, so waiting has to end by itself.
WAKE_SECONDS = 0.5
Group = TypeVar("Group")
Result = TypeVar("Result")
Item = TypeVar("Item")


@contextlib.contextmanager
def workers(
    device: device, threads: int | None, items: int, one_by_one: bool = False
) -> Iterator[ThreadPoolExecutor | None]:
    """Yield as many workers as there are threads, each with its share of torch's own threads; None stands for one.

    With more items than threads every worker computes with one thread: sharing out whole comparisons costs less than
    sharing out each operation of one. A GPU has one worker, which keeps it busy.

    Parameters
    ----------
    threads : int or None
        None takes torch's own number.
    items : int
        How many pieces of work there are at least.
    one_by_one : bool
        Yield a single worker with the share of threads that each of many would have, so that its numbers are theirs.
    """
    threads = torch.get_num_threads() if threads is None else threads
    count = 1 if device.type == "cuda" else max(1, min(threads, items))
    with torch_threads(max(1, threads // count)):
        if count == 1 or one_by_one:
            yield None
            return
        pool = ThreadPoolExecutor(count, thread_name_prefix="resi")
        is_stopped = False
        try:
            yield pool
        except (KeyboardInterrupt, GeneratorExit):
            # By Ctrl-C, here or where the results go: a comparison that hangs must not keep the process from ending.
            is_stopped = True
            raise
        finally:
            pool.shutdown(wait=not is_stopped, cancel_futures=True)


def stream(
    work: Callable[[Group], Iterator[Result]], groups: Iterable[Group], pool: ThreadPoolExecutor | None
) -> Iterator[Result]:
    """Yield what ``work`` yields for each group, as soon as it is there; groups run side by side in a pool.

    An error in one group is raised here, and ends the rest.
    """
    return _side_by_side(work, groups, pool) if pool else (result for group in groups for result in work(group))


def _side_by_side(
    work: Callable[[Group], Iterator[Result]], groups: Iterable[Group], pool: ThreadPoolExecutor
) -> Iterator[Result]:
    results: queue.SimpleQueue[tuple[Result | None, BaseException | None, bool]] = queue.SimpleQueue()
    stopped = threading.Event()

    def run(group: Group) -> None:
        try:
            for result in work(group):
                results.put((result, None, False))
                if stopped.is_set():  # by Ctrl-C, or an error in another group
                    return
        except BaseException as error:
            results.put((None, error, True))
        else:
            results.put((None, None, True))

    futures = [pool.submit(run, group) for group in groups]
    left = len(futures)
    try:
        while left:
            result, error, is_last = _next(results)
            if error is not None:
                raise error
            left -= is_last
            if not is_last:
                yield result  # type: ignore[misc]
    finally:
        stopped.set()
        for future in futures:
            future.cancel()


def _next(results: queue.SimpleQueue[Item]) -> Item:
    """Wait for an item, and wake up in between."""
    while True:
        with contextlib.suppress(queue.Empty):
            return results.get(timeout=WAKE_SECONDS)
