"""The rows of a table that a test uses, and the rows it leaves out, with reasons."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from resi.domains.custom.layers import by_layer, check_layer, in_order, of_models, one_of
from resi.domains.custom.members import check_own_arrays, model_of, numbered, shared, twice
from resi.domains.given import Content
from resi.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from resi.domains.custom.table import Row, Table
    from resi.domains.given import Chosen

DEFAULT_DATASET = "manifest"
"""The default dataset: the one in the table."""
STANDARD = "standard"
"""The setting of models without one in the table."""
SHOWN = 4


@dataclass(frozen=True)
class Selection:
    """The representations that a test uses.

    Attributes
    ----------
    rows : mapping from (architecture, setting, seed, layer) to Row
        In the order of the table.
    layers : mapping from architecture to tuple of str
        Its layers in the order of the table; in tests between models, the single layer that is compared.
    """

    content: Content
    rows: dict[tuple[str, str, int, str], Row]
    layers: dict[str, tuple[str, ...]]

    def seeds(self, architecture: str, setting: str) -> tuple[int, ...]:
        """Return the seeds with a model, in order."""
        found = {seed for name, of, seed, _ in self.rows if (name, of) == (architecture, setting)}
        return tuple(sorted(found))

    def layers_of(self, architecture: str, setting: str, seed: int) -> tuple[str, ...]:
        """Return the layers of one model, in order."""
        return tuple(layer for layer in self.layers[architecture] if (architecture, setting, seed, layer) in self.rows)


def select(table: Table, chosen: Chosen, layer: str | None) -> Selection:
    """Return the rows of a table that a test uses.

    Parameters
    ----------
    layer : str, optional
        The layer for tests between models, instead of the last.

    Raises
    ------
    UsageError
        If the table lacks a column, a file or a group that the test needs, or contradicts itself.
    """
    return _Selecting(table, chosen, layer).result()


@dataclass
class _Selecting:
    """The remaining rows, and counts of those left out, step by step."""

    table: Table
    chosen: Chosen
    layer: str | None
    rows: list[Row] = field(default_factory=list)
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    unit: str = "row"

    def result(self) -> Selection:
        self.rows = list(self.table.rows)
        self.unit = "row" if self.table.columns else "model"
        dataset = self._take_dataset()
        self._take_known()
        settings = self._take_settings()
        self._take_seeds()
        self._check_files()
        self.rows, self.unit = [part for row in self.rows for part in by_layer(row)], "representation"
        layers = self._take_layers()
        self._take_comparable()
        found = self._unique()
        check_own_arrays(self.rows, self.chosen.needs)
        settings = self._left_of(settings)
        architectures = tuple(dict.fromkeys(row.architecture for row in self.rows))
        seeds = tuple(sorted({seed for _, _, seed, _ in found}))
        content = Content(dataset, architectures, settings, seeds, self._notes())
        return Selection(content, found, {name: layers[name] for name in architectures})

    def _keep(self, holds: Callable[[Row], bool], reason: str) -> None:
        """Leave out the rows that do not satisfy a condition."""
        kept = [row for row in self.rows if holds(row)]
        self.left_out[self.unit, reason] += len(self.rows) - len(kept)
        self.rows = kept

    def _notes(self) -> tuple[str, ...]:
        return tuple(
            f"left out of test={self.chosen.test}: {_counted(count, unit)} {reason}"
            for (unit, reason), count in self.left_out.items()
            if count
        )

    def _nothing(self, why: str) -> UsageError:
        """Return the error for a test without remaining rows, with the rows or models that it has left out."""
        # Which layers are left out does not matter, and models without a counterpart are what the error is about.
        whole = "row" if self.table.columns else "model"
        out = [f"{_counted(n, unit)} {reason}" for (unit, reason), n in self.left_out.items() if n and unit == whole]
        more = f"; left out: {', '.join(out)}" if out else ""
        return UsageError(f"{self.table.label}: {why}{more}")

    def _take_dataset(self) -> str:
        known = list(dict.fromkeys(row.dataset for row in self.rows))
        wanted = self.chosen.dataset
        if wanted == DEFAULT_DATASET:
            if len(known) > 1:
                raise UsageError(
                    f"{self.table.label} has several datasets ({_listed(known)}), but a run uses one: choose it "
                    f"with dataset.name={known[0]}"
                )
            (wanted,) = known
        elif wanted not in known:
            raise unknown_name(f"dataset of {self.table.label}:", wanted, known)
        if wanted.startswith(".") or any(sign in wanted for sign in "/\\\0"):
            raise UsageError(f"{self.table.label}: dataset={wanted!r}: a name cannot begin with . or contain / or \\")
        self._keep(lambda row: row.dataset == wanted, f"of other datasets than {wanted}")
        return wanted

    def _take_known(self) -> None:
        """Leave out rows that lack a fact that the test needs."""
        needs = self.chosen.needs
        self._need(column for column in ("setting", "seed") if column in needs)
        if any(row.knows("seed") for row in self.rows):
            self._keep(lambda row: row.knows("seed"), "without seed")
        self.rows = [row if row.knows("setting") else replace(row, setting=STANDARD) for row in self.rows]
        if not any(row.knows("seed") for row in self.rows):
            self.rows = numbered(self.rows, self.chosen.kind)
        for column in ("accuracy", "logits"):
            self.rows = shared(self.rows, column)
        self._need(column for column in needs if column not in ("setting", "seed"))

    def _need(self, columns: Iterable[str]) -> None:
        for column in columns:
            if not any(row.knows(column) for row in self.rows):
                if column == "layer" and any(len(by_layer(row)) > 1 for row in self.rows):
                    continue  # files that hold several layers name them
                raise UsageError(self._lacks(column))
            if column != "layer":
                self._keep(functools.partial(_knows, column), f"without {column}")

    def _lacks(self, column: str) -> str:
        needs = f"test={self.chosen.test} needs"
        if not self.table.columns:
            if column == "layer":
                return f"{needs} several layers of a model: resi.Model({{'layer1': ..., 'layer2': ...}})"
            return f"{needs} the {column} of models, and none has one: resi.Model(..., {column}=...)"
        return f"{needs} the column {column}, which {self.table.label} lacks; it has {', '.join(self.table.columns)}"

    def _take_settings(self) -> tuple[str, ...]:
        known = list(dict.fromkeys(str(row.setting) for row in self.rows))
        groups = self.chosen.groups
        if isinstance(groups, int):
            if groups != len(known):
                raise UsageError(
                    f"groups={groups}: {self.table.label} has {len(known)} settings: {_listed(known)}; name the "
                    f"groups: groups=[{','.join(known[:2])}]"
                )
            groups = None
        wanted = known if groups is None else list(groups)
        for name in wanted:
            if name not in known:
                raise unknown_name(f"setting of {self.table.label}:", name, known)
        if len(set(wanted)) < len(wanted) or not wanted:
            raise UsageError(f"groups=[{','.join(wanted)}]: name the settings of groups, each once")
        self._keep(lambda row: row.setting in wanted, f"of other settings than {_listed(wanted)}")
        return tuple(wanted)

    def _left_of(self, settings: tuple[str, ...]) -> tuple[str, ...]:
        """Return the settings with remaining rows, or all named settings."""
        left = tuple(setting for setting in settings if any(row.setting == setting for row in self.rows))
        if isinstance(self.chosen.groups, tuple) and left != settings:
            lost = next(setting for setting in settings if setting not in left)
            raise self._nothing(f"no rows are left for the group {lost}")
        return left

    def _take_seeds(self) -> None:
        wanted = self.chosen.seeds
        if wanted is None:
            return
        known = sorted({int(row.seed or 0) for row in self.rows})
        for seed in wanted:
            if seed not in known:
                raise unknown_name(f"seed of {self.table.label}:", str(seed), list(map(str, known)))
        self._keep(lambda row: row.seed in wanted, f"of other seeds than {_listed(map(str, wanted))}")

    def _check_files(self) -> None:
        if not self.rows:
            raise self._nothing(f"test={self.chosen.test} can use none of its {len(self.table.rows)} rows")
        origins = [origin for row in self.rows for origin in _origins(row, self.chosen.needs)]
        absent = [(row, path) for row, path in origins if not path.exists()]
        if absent:
            row, path = absent[0]
            more = f", and {len(absent) - 1} more files are missing" if len(absent) > 1 else ""
            raise UsageError(f"{row.label}: there is no file {path}{more}")

    def _take_layers(self) -> dict[str, tuple[str, ...]]:
        """Return the layers of each architecture in order, or the single layer to compare; leave out the others."""
        label, models = self.table.label, of_models(self.rows)
        if self.chosen.kind == "layers":
            if self.layer is not None:
                raise UsageError(f"{self._option}={self.layer}: test={self.chosen.test} uses all layers")
            return {name: in_order(label, name, found) for name, found in models.items()}
        if self.layer is not None:
            check_layer(label, self.layer, models.values())
            self._keep(lambda row: row.layer == self.layer, f"of other layers than {self.layer}")
            return {name: (self.layer,) for name in models}
        last = {name: one_of(label, name, found, self._option) for name, found in models.items()}
        # A network's last layer is often its output, where tests of trained models use the last hidden one.
        before = dict.fromkeys(found[0][-2] for found in models.values() if len(found[0]) > 1)
        instead = next(iter(before)) if len(before) == 1 else "LAYER"
        which = f"{_listed(dict.fromkeys(last.values()))}, the last; if that is an output, choose a hidden layer"
        self._keep(
            lambda row: row.layer == last[row.architecture], f"of other layers than {which}: {self._option}={instead}"
        )
        return {name: (layer,) for name, layer in last.items()}

    def _take_comparable(self) -> None:
        """Leave out rows without a counterpart to compare with."""
        test, kind = self.chosen.test, self.chosen.kind
        if kind == "layers":
            counts = Counter(map(model_of, self.rows))
            self._keep(lambda row: counts[model_of(row)] > 1, "of models with a single layer")
            why = f"test={test} needs several layers of a model"
        elif kind == "seeds":
            alike = Counter(model[:2] for model in dict.fromkeys(map(model_of, self.rows)))
            self._keep(lambda row: alike[row.architecture, row.setting] > 1, "of models alone in their setting")
            why = f"test={test} compares models of one setting, but each setting has one model"
        else:
            settings = list(dict.fromkeys(str(row.setting) for row in self.rows))
            groups = Counter(name for name, _ in dict.fromkeys((row.architecture, row.setting) for row in self.rows))
            self._keep(lambda row: groups[row.architecture] > 1, "of architectures with a single setting")
            one = f"all have the setting {settings[0]}" if len(settings) == 1 else "each architecture has one setting"
            why = f"test={test} compares groups of models of different settings, but {one}"
        if not self.rows:
            raise self._nothing(why)

    @property
    def _option(self) -> str:
        """Name of the option that chooses a layer, on the command line or in Python."""
        return "layer" if self.chosen.root is None else "representation"

    def _unique(self) -> dict[tuple[str, str, int, str], Row]:
        found: dict[tuple[str, str, int, str], Row] = {}
        for row in self.rows:
            key = row.architecture, str(row.setting), int(row.seed or 0), str(row.layer)
            if key in found:
                raise twice(found[key], row)
            found[key] = row
        return found


def _knows(column: str, row: Row) -> bool:
    return row.knows(column)


def _origins(row: Row, needs: Sequence[str]) -> Iterable[tuple[Row, Path]]:
    from resi.domains.custom.origins import FileOrigin

    origins = [row.origin, row.logits if "logits" in needs else None]
    return [(row, origin.path) for origin in origins if isinstance(origin, FileOrigin)]


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}{'s' * (count != 1)}"


def _listed(names: Iterable[str]) -> str:
    known = list(names)
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return f"{', '.join(known[:SHOWN])}{more}"
