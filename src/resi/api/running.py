"""A run from Python, and its results as shown in a notebook."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from resi import registry
from resi.api.measuring import choose
from resi.api.views import ScoreViews
from resi.config.compose import compose
from resi.config.own_measures import is_file_word, names_measures
from resi.config.validate import by_protocol, check_scorable
from resi.errors import UsageError, unknown_name
from resi.pipeline import run as pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from resi.api.measuring import Measures
    from resi.config.schema import RunConfig
    from resi.pipeline.plan import Plan
    from resi.representation import Representation
    from resi.specs import ModelSpec, ProbeSpec

    Key = tuple[Any, ...]


def run(overrides: Sequence[str] = (), measures: Measures | None = None) -> RunResult:
    """Run with command-line arguments, such as ``["test=augmentation", "measure=cka"]``.

    Parameters
    ----------
    overrides : sequence of str
        Arguments ``KEY=VALUE``.
    measures : name, class, instance or function, a sequence of these, or a mapping, optional
        The measures of the run, as for :func:`resi.pairwise`; those named by an argument ``measure=`` or
        ``measure.file=`` are added. A function has to state whether large values mean similar:
        ``my_function.larger_is_more_similar = True``.

    Returns
    -------
    RunResult
        The scores and comparisons; shown as a table at a prompt and in a notebook.

    Raises
    ------
    ResiError
        With a one-line message that says what is wrong and what to do.
    """
    try:
        config = compose(overrides) if measures is None else with_measures(overrides, measures)
        return RunResult.of(pipeline.run_config(config))
    except UsageError as error:  # a wrong argument: the traceback inside resi does not help
        raise error.with_traceback(None) from None


def with_measures(overrides: Sequence[str], measures: Measures) -> RunConfig:
    """Return the config of a run with measures given as objects, in addition to those named by arguments."""
    chosen = choose(measures).measures
    check_scorable(chosen)
    names_others = any(names_measures(word) or is_file_word(word) for word in overrides)
    config = compose(overrides if names_others else [*overrides, "measure=cka"])
    named = config.measures if names_others else {}
    for name, measure in chosen.items():
        known = registry.measures()
        is_other = name in known and known.get(name) is not type(measure)
        if is_other or (name in named and named[name] != measure):
            raise UsageError(f"measures: {name} is the name of another measure of this run; give this one its own name")
    found = {**named, **by_protocol(chosen, config.protocol)}
    said = {name: measure.parameters() for name, measure in found.items()}
    files = {name: value for name, value in config.composed.get("measure", {}).items() if name == "file"}
    return replace(config, measures=found, composed={**config.composed, "measure": {**files, **said}})


class RunResult(ScoreViews, pipeline.RunResult):
    """The results of a run; shown as a compact table at a prompt and in a notebook.

    Has the attributes of :class:`resi.pipeline.run.RunResult`: ``scores`` and ``comparisons`` as whole tables,
    ``shard``, ``reused`` and ``missing``.
    """

    @classmethod
    def of(cls, result: pipeline.RunResult) -> RunResult:
        """Return the results of a run as an instance of this class."""
        return cls(**{item.name: getattr(result, item.name) for item in fields(result)})

    @functools.cached_property
    def models(self) -> pl.DataFrame:
        """The models of the run.

        A table with ``architecture``, ``setting``, ``seed``, the accuracy on each recorded split, such as
        ``accuracy_test``, ``accuracy_probe`` (on the inputs from which representations were extracted), and ``seconds``
        of training. Null if nothing was recorded or the model is missing. If models were trained on several datasets,
        the column ``dataset`` says which.
        """
        plan = self._known_plan()
        rows = [_model_row(plan, model, probe) for model, probe in plan.models]
        splits = sorted({name for row in rows for name in row if name.startswith("accuracy_")})
        schema: dict[str, Any] = {"architecture": pl.String, "setting": pl.String, "seed": pl.Int64}
        if plan.config.trained_on:
            schema = {"dataset": pl.String, **schema}
        schema |= dict.fromkeys([*splits, "seconds"], pl.Float64)
        return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema, orient="row")

    @functools.cached_property
    def representations(self) -> Mapping[Key, StoredLayers]:
        """The representations of the run, by architecture, setting and seed, then by layer; read when used.

        If a model was run on several inputs, the name of the input is the fourth part of its key; if models were
        trained on several datasets, the fourth part is the model's dataset.
        """
        plan = self._known_plan()
        counts: dict[Key, int] = {}
        for model, _ in plan.models:
            counts[_key(model)] = counts.get(_key(model), 0) + 1
        by_dataset = bool(plan.config.trained_on)
        return {
            (
                *_key(model),
                *([model.dataset if by_dataset else probe.probe] if counts[_key(model)] > 1 else []),
            ): StoredLayers(plan, model, probe)
            for model, probe in plan.models
        }

    def _known_plan(self) -> Plan:
        if self.plan is None:
            raise UsageError(f"the models behind {self.shard} are unknown: this result was not made by a run")
        return self.plan


class StoredLayers(Mapping[str, "Tensor"]):
    """The layers of one model of a run, by name: arrays of shape (n_samples, ...), read when used.

    Attributes
    ----------
    layers : mapping from layer to Representation
        Each with its layout and the hash of its samples; the array is not read yet.
    """

    def __init__(self, plan: Plan, model: ModelSpec, probe: ProbeSpec) -> None:
        self.name = model.label
        self._open = functools.partial(plan.representations.open, model, probe)
        self._names = probe.layers

    @functools.cached_property
    def layers(self) -> dict[str, Representation]:
        """The representations, not read yet."""
        return {layer: self._open(layer) for layer in self._names}

    def __getitem__(self, layer: str) -> Tensor:
        """Return the array of a layer."""
        if layer not in self:
            raise unknown_name("layer", layer, list(self._names))
        return self._open(layer).load()  # type: ignore[return-value]

    def __contains__(self, layer: object) -> bool:
        return layer in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"<layers {', '.join(self._names)} of {self.name}>"


def _key(model: ModelSpec) -> Key:
    return model.architecture, model.setting, model.seed


def _model_row(plan: Plan, model: ModelSpec, probe: ProbeSpec) -> dict[str, Any]:
    row: dict[str, Any] = dict(zip(("architecture", "setting", "seed"), _key(model), strict=True))
    row["dataset"] = model.dataset
    if plan.model_store.has(model):
        about = plan.model_store.about(model)
        row |= {f"accuracy_{split}": value for split, value in about.get("accuracies", {}).items()}
        row["seconds"] = about.get("seconds")
    if plan.representations.has(model, probe):
        row["accuracy_probe"] = plan.representations.outputs(model, probe)[1].get("accuracy")
    return row
