"""Models trained and representations extracted, each only once for all jobs, on all cores of this one."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING

from resi.console import progress, say
from resi.machine.sources import note_sources
from resi.pipeline.making import Maker, Task
from resi.pipeline.pool import CannotSendError, Pool
from resi.pipeline.share import workers_for
from resi.store.root import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from resi.pipeline.plan import Plan


class Preparation:
    """The models and representations that are missing before a run compares, and the code that makes them.

    Parameters
    ----------
    extracts : bool
        Whether representations are extracted, too: workers begin with them before the last model is trained.
    """

    def __init__(self, plan: Plan, extracts: bool = True) -> None:
        self.plan = plan
        self.trainings = [Task(model) for model in plan.missing_models()]
        self.extractions = [Task(*item) for item in plan.missing_representations()] if extracts else []
        self._maker = Maker.of(plan)
        self._pool: Pool | None = None

    @contextlib.contextmanager
    def running(self) -> Iterator[Preparation]:
        """Have workers in this context, where they pay."""
        tasks = [task for task in (*self.trainings, *self.extractions) if self._is_small(task)]
        count = workers_for(self.plan.config, tasks) if self.plan.absent is None else 1
        try:
            if count > 1:
                self._pool = Pool(self._maker, tasks, count)
                if self.plan.config.stage.finishes:
                    import torch  # noqa: F401 - while the workers' libraries are loaded: comparing needs it
            yield self
        finally:
            self._end_pool()
            note_sources()  # of what making models here has loaded

    def train_models(self) -> int:
        """Train models that are not in the store, or read them if they are published; return how many there were."""
        published = self.plan.config.models.root is not None
        return self._finish("reading published models" if published else "training models", self.trainings)

    def extract_representations(self) -> int:
        """Extract representations that are not in the store; return how many models there were to run."""
        return self._finish("extracting representations", self.extractions)

    def _finish(self, title: str, tasks: Sequence[Task]) -> int:
        if not tasks:
            return 0
        if self.plan.absent is not None:  # the error that names the files
            raise self.plan.absent
        with progress(title, len(tasks)) as advance:
            self._make(tasks, advance)
        return len(tasks)

    def _make(self, tasks: Sequence[Task], advance: Callable[[], None]) -> None:
        """Make tasks, small ones by the workers if there are any, and the others here."""
        left = dict.fromkeys(tasks)
        if self._pool is not None:
            try:
                for task in self._pool.finish([task for task in tasks if self._is_small(task)]):
                    del left[task]
                    advance()
            except CannotSendError as error:
                say(f"models are made one after another, as workers cannot make them: {error}")
                self._end_pool()
        make_here(self._maker, left, advance)

    def _is_small(self, task: Task) -> bool:
        return self.plan.config.domain.is_small(task.model)

    def _end_pool(self) -> None:
        if self._pool is not None:
            self._pool.close()
            self._pool = None


def train_models(plan: Plan) -> int:
    """Train the missing models of a plan, see :meth:`Preparation.train_models`."""
    with Preparation(plan, extracts=False).running() as preparation:
        return preparation.train_models()


def make_here(maker: Maker, tasks: Iterable[Task], advance: Callable[[], None]) -> None:
    """Make each task that is not made, under its lock, in this process.

    A task that another process is making is put off, so that several jobs share the work instead of queueing. Where
    nothing else is left to do, the process that this one waits for is named once.
    """
    pending = deque(tasks)
    put_off = 0
    waiting = Waiting("is computing what is left")
    while pending:
        task = pending.popleft()
        if maker.try_to_make(task):
            put_off = 0
            advance()
            continue
        pending.append(task)
        put_off += 1
        if put_off >= len(pending):
            waiting.wait_for(maker.store.holder(task.lock))
