"""The config of one run, from the arguments of a command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import OmegaConf, open_dict

from resi.config.explain import explain_hydra
from resi.config.loading import composing, config_folder, open_loader
from resi.config.own_measures import copied, with_files
from resi.config.register import own_store
from resi.config.validate import NO_RUN, validate
from resi.config.words import CHOSEN, check_once, check_single, check_words, one_value, quoted, suite_of
from resi.errors import ResiError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hydra.core.config_loader import ConfigLoader

    from resi.config.schema import RunConfig


def compose(overrides: Sequence[str], folder: Path | None = None) -> RunConfig:
    """Compose and validate the config of one run from command-line words, and a folder with configs of a user's own.

    Raises
    ------
    UsageError
        If a word is not KEY=VALUE, or its key or value does not exist.
    """
    if isinstance(overrides, str) or not all(isinstance(word, str) for word in overrides):
        raise UsageError(f"expected a list of arguments such as ['measure=cka'], not {overrides!r}")
    if suite_of(overrides):
        raise UsageError(NO_RUN)
    check_once(overrides)
    store = copied(own_store())
    words = with_files(quoted(overrides), store)
    with composing():
        found = compose_with(open_loader(config_folder(), store, folder), words)
    if isinstance(found, ResiError):
        raise found
    return found


def compose_with(loader: ConfigLoader, words: Sequence[str]) -> RunConfig | ResiError:
    """Return the config of one run, or the error that says why there is none."""
    try:
        check_words(words)
        composed = loader.load_configuration("config", list(words), RunMode.RUN, from_shell=False)
        check_choices(composed.hydra)
        with open_dict(composed):
            del composed["hydra"]
        return validate(composed)
    except ResiError as error:
        return error
    except Exception as error:
        if message := explain_hydra(error):
            return UsageError(message)
        raise


def check_choices(hydra: Any) -> None:
    """Raise ``UsageError`` if of a group with one choice several were made, in words or in a config.

    Parameters
    ----------
    hydra : DictConfig
        The node of that name of a composed config.
    """
    words = task_words(hydra)
    check_single(OverridesParser.create().parse_overrides(words))
    for group in CHOSEN:
        # Hydra notes what was chosen of a group, unless it was a list.
        if group not in hydra.runtime.choices and not any(word.lstrip("+").startswith(f"{group}=") for word in words):
            raise one_value(group, f"a list for {group} in a config")


def task_words(hydra: Any) -> list[str]:
    """Return the arguments of a run, with unresolved interpolations."""
    words = OmegaConf.to_container(hydra.overrides.task, resolve=False)
    return [str(word) for word in words] if isinstance(words, list) else []
