"""One pass over data: batches are run, layers recorded, and rows stored."""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from resi.console import progress, say
from resi.errors import UsageError, listed
from resi.extraction.inputs.forward import floating_dtype
from resi.extraction.journal import LayerFacts
from resi.extraction.recording import Recorder, check_rows
from resi.measures.shapes import least_precise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torch import Tensor, nn

    from resi.extraction.batches import Batch, Batches
    from resi.extraction.outputs import Axes
    from resi.extraction.patterns import Wanted
    from resi.extraction.recording import Taken
    from resi.extraction.running import Runner

QUIET_SECONDS = 2.0
REPORT_SECONDS = 10.0


class Sink(Protocol):
    """Storage for rows; it may hold some already.

    Attributes
    ----------
    n_rows : int
    running : str
        Hash of the data up to the last of them.
    """

    n_rows: int
    running: str

    @property
    def layers(self) -> Mapping[str, LayerFacts]:
        """Facts about the layers; empty before the first batch."""

    def add(self, batch: Batch, rows: Mapping[str, Tensor], layers: Mapping[str, LayerFacts]) -> None:
        """Keep the rows of a batch."""


@dataclass(frozen=True)
class Pass:
    """A network, the requested layers, and data.

    Attributes
    ----------
    label : str
        Name of the network, for people.
    """

    runner: Runner
    modules: Mapping[str, nn.Module]
    wanted: Sequence[Wanted]
    pooling: str
    layouts: Mapping[str, Axes]
    batches: Batches
    label: str

    def into(self, sink: Sink) -> None:
        """Run all batches that the sink does not hold yet.

        Raises
        ------
        UsageError
            If layers are others than those that the sink has, or rows have another shape or type.
        """
        facts: dict[str, LayerFacts] = {}
        with (
            Recorder(self.modules, self.wanted, self.pooling, self.layouts) as recorder,
            _ticking(f"layers of {self.label}", self.batches, sink.n_rows) as tick,
        ):
            for batch in self.batches.start(sink.n_rows, sink.running):
                recorder.begin(batch)
                self.runner.run(batch)
                taken = {layer: _on_cpu(found) for layer, found in recorder.end().items()}
                if not facts:
                    facts = {layer: self._facts(found) for layer, found in taken.items()}
                    _agree(sink.layers, facts)
                    _say_left_out(recorder.left_out)
                _check(taken, facts, batch.samples)
                sink.add(batch, {layer: found.rows for layer, found in taken.items()}, facts)
                tick(len(batch.samples))

    def _facts(self, found: Taken) -> LayerFacts:
        weights = floating_dtype(self.runner.network.module)
        computed_in = found.computed_in if weights is None else least_precise(found.computed_in, weights)
        return LayerFacts(found.layout, _name(found.rows.dtype), _name(computed_in), tuple(found.rows.shape[1:]))


def _on_cpu(found: Taken) -> Taken:
    return found._replace(rows=found.rows.cpu())


def _name(dtype: object) -> str:
    return str(dtype).removeprefix("torch.")


def _agree(before: Mapping[str, LayerFacts], now: Mapping[str, LayerFacts]) -> None:
    """Raise unless a continued pass has the same layers as the stopped one."""
    if before and (list(before), list(before.values())) != (list(now), list(now.values())):
        other = next((layer for layer in {**before, **now} if before.get(layer) != now.get(layer)), "in another order")
        raise UsageError(
            f"layer {other} has changed since the extraction was stopped: it was {before.get(other)}, now "
            f"{now.get(other)}; start again with overwrite=True"
        )


def _check(taken: Mapping[str, Taken], facts: Mapping[str, LayerFacts], samples: Sequence[str]) -> None:
    for layer, found in taken.items():
        check_rows(layer, found.rows, facts[layer].shape, samples)
        if _name(found.rows.dtype) != facts[layer].dtype:
            raise UsageError(
                f"layer {layer} is of {_name(found.rows.dtype)} for samples {listed(samples, 3)}, but of "
                f"{facts[layer].dtype} for those before"
            )


def _say_left_out(left_out: Mapping[str, str]) -> None:
    if left_out:
        first, why = next(iter(left_out.items()))
        more = f", and {len(left_out) - 1} more" if len(left_out) > 1 else ""
        say(f"left out of the layers: {first} ({why}){more}")


@contextlib.contextmanager
def _ticking(label: str, batches: Batches, done: int) -> Iterator[Callable[[int], None]]:
    """Show progress over samples after two seconds; yield the function to call with each new count."""
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        advance: Callable[[], None] | None = None
        count, said = done, began

        def tick(more: int) -> None:
            nonlocal advance, count, said
            count, now = count + more, time.monotonic()
            if advance is None and batches.n_samples and batches.batch_size and now - began > QUIET_SECONDS:
                steps = math.ceil((batches.n_samples - count) / batches.batch_size)
                if steps > 0:
                    advance = stack.enter_context(progress(f"{label} (batches)", steps))
            elif advance is not None:
                advance()
            elif now - said > REPORT_SECONDS:
                said = now
                say(f"{label}: {count} samples, {now - began:.0f} s so far")

        yield tick
