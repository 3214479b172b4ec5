"""Work distributed to threads, with results yielded as they arrive."""

from __future__ import annotations

import contextlib
import functools
import queue
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from resi.machine.devices import one_thread, torch_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future
    from contextlib import AbstractContextManager
    from typing import TypeAlias

    import torch
    from torch import device

    from resi.measures.base import Measure
else:
    from resi.lazy import torch

# Some libraries catch Ctrl-C without ending the wait for a lock, so every wait has a timeout.
WAKE_SECONDS = 0.5
Group = TypeVar("Group")
Result = TypeVar("Result")
Item = TypeVar("Item")
if TYPE_CHECKING:
    # A result; or an error or None, with a flag that it is the last item.
    _Results: TypeAlias = queue.SimpleQueue[tuple[Result | None, BaseException | None, bool]]


class Workers(ThreadPoolExecutor):
    """A pool of threads and its size."""

    def __init__(self, count: int) -> None:
        super().__init__(count, thread_name_prefix="resi")
        self.count = count


def place(measure: Measure, device: torch.device) -> torch.device:
    """Return the device on which a measure computes, given the device of the run."""
    return torch.device("cpu") if measure.on_cpu else device


@contextlib.contextmanager
def workers(device: device, threads: int | None, items: int, one_by_one: bool = False) -> Iterator[Workers | None]:
    """Yield as many workers as there are threads, each with its share of torch's own threads; None stands for one.

    With more items than threads every worker computes with one thread: sharing out whole comparisons costs less than
    sharing out each operation of one. A GPU has one worker, which keeps it busy.

    Parameters
    ----------
    threads : int or None
        None takes torch's own number.
    items : int
        Smallest number of units of work.
    one_by_one : bool
        Yield a single worker with the share of threads that each of many would have, so that values are the same.
    """
    threads = torch.get_num_threads() if threads is None else threads
    count = 1 if device.type == "cuda" else max(1, min(threads, items))
    with _each_with(max(1, threads // count)):
        if count == 1 or one_by_one:
            yield None
        else:
            with _pool(count) as pool:
                yield pool


@contextlib.contextmanager
def workers_beside(threads: int | None, items: int) -> Iterator[Workers]:
    """Yield workers for measures on the CPU while a GPU is busy: one thread is left to serve the GPU.

    The parameters are those of :func:`workers`.
    """
    threads = max(1, (torch.get_num_threads() if threads is None else threads) - 1)
    count = max(1, min(threads, items))
    with _each_with(threads // count), _pool(count) as pool:
        yield pool


def _each_with(threads: int) -> AbstractContextManager[None]:
    """Limit torch to a number of threads; if it is one, also limit the BLAS libraries of numpy and scipy."""
    return one_thread() if threads == 1 else torch_threads(threads)


@contextlib.contextmanager
def _pool(count: int) -> Iterator[Workers]:
    pool = Workers(count)
    is_stopped = False
    try:
        yield pool
    except (KeyboardInterrupt, GeneratorExit):
        # By Ctrl-C, here or where the results go: a comparison that hangs must not keep the process from ending.
        is_stopped = True
        raise
    finally:
        pool.shutdown(wait=not is_stopped, cancel_futures=True)


def beside(here: Iterator[Result], there: Iterator[Result], pool: ThreadPoolExecutor) -> Iterator[Result]:
    """Yield the items of two iterators as they arrive; the second one runs in its own thread.

    Parameters
    ----------
    here : iterator
        Runs where this is called. Between its results, those of the other one are taken.
    there : iterator
        Shares its work out to the pool, and nothing else does.

    Notes
    -----
    An error of either is raised here and ends both. The other one is stopped by taking the pool from it: pieces of work
    that run are finished, those that wait are not begun.
    """
    results: _Results[Result] = queue.SimpleQueue()
    stopped = threading.Event()
    thread = threading.Thread(target=_put_all, args=(lambda: there, results, stopped), name="resi-beside", daemon=True)
    thread.start()
    is_first_done = is_second_done = False
    try:
        while not (is_first_done and is_second_done):
            if not is_first_done:
                try:
                    yield next(here)
                except StopIteration:
                    is_first_done = True
            while not is_second_done and (is_first_done or not results.empty()):
                result, error, is_second_done = _next(results)
                if error is not None:
                    raise error
                if not is_second_done:
                    yield result  # type: ignore[misc]
    except Exception:
        _stop(stopped, pool)
        thread.join()
        raise
    finally:
        _stop(stopped, pool)


def _stop(stopped: threading.Event, pool: ThreadPoolExecutor) -> None:
    stopped.set()
    pool.shutdown(wait=False, cancel_futures=True)


def _put_all(work: Callable[[], Iterator[Result]], results: _Results[Result], stopped: threading.Event) -> None:
    """Put all items that a function yields into a queue, then its error or an end mark."""
    try:
        for item in work():
            results.put((item, None, False))
            if stopped.is_set():  # by Ctrl-C, or an error elsewhere
                return
    except BaseException as error:
        results.put((None, error, True))
    else:
        results.put((None, None, True))


def stream(
    work: Callable[[Group], Iterator[Result]], groups: Iterable[Group], pool: ThreadPoolExecutor | None
) -> Iterator[Result]:
    """Yield the items of ``work`` for each group as they arrive; groups run in parallel in a pool.

    An error in one group is raised here, and ends the rest.
    """
    return _side_by_side(work, groups, pool) if pool else (result for group in groups for result in work(group))


def _side_by_side(
    work: Callable[[Group], Iterator[Result]], groups: Iterable[Group], pool: ThreadPoolExecutor
) -> Iterator[Result]:
    results: _Results[Result] = queue.SimpleQueue()
    stopped = threading.Event()

    def note_end(future: Future[None]) -> None:
        if future.cancelled():  # by whoever shut the pool down
            results.put((None, CancelledError("the pool was shut down"), True))

    futures = [pool.submit(_put_all, functools.partial(work, group), results, stopped) for group in groups]
    for future in futures:
        future.add_done_callback(note_end)
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
    """Wait for an item, waking up regularly."""
    while True:
        with contextlib.suppress(queue.Empty):
            return results.get(timeout=WAKE_SECONDS)
