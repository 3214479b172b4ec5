"""Networks by name: from timm, torchvision, transformers, or a user's own function."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.console import say
from resi.errors import ResiError, UsageError, first_line
from resi.extraction.inputs.network import Network, with_processor
from resi.lazy import torch
from resi.randomness import forked_torch

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from types import ModuleType

FORMS = {
    "timm": "NAME",
    "torchvision": "NAME",
    "hf": "PATH_OR_ID",
    "python": "package.module:function",
}
PREFIXES = tuple(FORMS)
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "vocab.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)
LONGEST = 240
"""Number of characters of a third-party error that are shown."""
SOUND = ("input_values", "input_features")
"""Name of the audio input of transformers models."""
EXTRAS = {"timm": "vision", "torchvision": "vision", "transformers": "language"}


def network(prefix: str, text: str) -> Network:
    """Return the network of a name, which may have options after a question mark.

    Parameters
    ----------
    prefix : str
        One of ``PREFIXES``.
    text : str
        Such as ``resnet18?pretrained=false&seed=1``.
    """
    name, _, query = text.partition("?")
    if not name:
        raise UsageError(f"model={prefix}: lacks a name; expected {prefix}:{FORMS[prefix]}")
    options = _options(query, f"{prefix}:{text}")
    found = {"timm": _timm, "torchvision": _torchvision, "hf": _transformers, "python": _python}[prefix](name, options)
    label = Path(name).name if prefix == "hf" and Path(name).expanduser().is_dir() else name
    return Network(
        found.module,
        f"{label}?{query}" if query else label,
        found.processor,
        found.kind,
        found.versions,
        found.missing,
    )


def _options(query: str, text: str) -> dict[str, Any]:
    """Return the options of ``a=1&b=x``; values are parsed as JSON if possible, else kept as text."""
    options: dict[str, Any] = {}
    for part in filter(None, query.split("&")):
        name, equals, value = part.partition("=")
        if not equals or not name:
            raise UsageError(f"model={text}: the option {part!r} is not of the form NAME=VALUE")
        try:
            options[name] = json.loads(value.lower() if value.lower() in ("true", "false") else value)
        except json.JSONDecodeError:
            options[name] = None if value.lower() in ("none", "null") else value
    return options


def _timm(name: str, options: dict[str, Any]) -> Network:
    timm = _library("timm", "timm:" + name)
    pretrained, seed = _start(options, "timm:" + name)
    is_elsewhere = ":" in name
    if not is_elsewhere and not timm.is_model(name.partition(".")[0]):
        raise _unknown("timm model", name, timm.list_models(), "timm.list_models()")
    if not is_elsewhere and "." in name and name not in timm.list_pretrained():
        tags = [known for known in timm.list_pretrained() if known.partition(".")[0] == name.partition(".")[0]]
        raise _unknown("timm model", name, tags, "timm.list_pretrained()")
    advice = _without_weights(f"timm:{name}")
    with _one_line(f"timm:{name}", advice if pretrained else ""), _keyed(seed):
        module = timm.create_model(name, pretrained=pretrained, **options)
    settings = timm.data.resolve_model_data_config(module)
    transform = timm.data.create_transform(**settings, is_training=False)
    return Network(module, name, transform, "images", {"timm": timm.__version__})


def _torchvision(name: str, options: dict[str, Any]) -> Network:
    torchvision = _library("torchvision", "torchvision:" + name)
    pretrained, seed = _start(options, "torchvision:" + name)
    known = torchvision.models.list_models()
    if name not in known:
        raise _unknown("torchvision model", name, known, "torchvision.models.list_models()")
    choices = torchvision.models.get_model_weights(name)
    asked = options.pop("weights", "DEFAULT")
    if asked is None:
        pretrained, asked = False, "DEFAULT"
    if asked not in choices.__members__:
        raise UsageError(
            f"model=torchvision:{name}?weights={asked}: unknown weights; known: {', '.join(choices.__members__)}, none"
        )
    weights = choices[asked]
    advice = _without_weights(f"torchvision:{name}")
    with _one_line(f"torchvision:{name}", advice if pretrained else ""), _keyed(seed):
        module = torchvision.models.get_model(name, weights=weights if pretrained else None, **options)
    # Of a network without weights too: the transforms are those that its architecture was made for.
    return Network(module, name, weights.transforms(), "images", {"torchvision": torchvision.__version__})


def _transformers(name: str, options: dict[str, Any]) -> Network:
    transformers = _library("transformers", "hf:" + name)
    source = _hub_source(name)
    pretrained, seed = _start(options, "hf:" + name)
    which = options.pop("processor", None)
    if which not in (None, "tokenizer", "image"):
        raise UsageError(f"model=hf:{name}?processor={which}: expected tokenizer or image")
    class_name = options.pop("class", "AutoModel")
    model_class: Any = getattr(transformers, str(class_name), None)
    if not hasattr(model_class, "from_pretrained"):
        raise _unknown("transformers class", str(class_name), dir(transformers), "the documentation of transformers")
    revision = {"revision": options["revision"]} if "revision" in options else {}
    advice = f"Without a network, name a folder that save_pretrained has written (there is no folder {source} here)"
    with _one_line(f"hf:{name}", "" if Path(source).is_dir() else advice), _keyed(seed):
        if pretrained:
            module, loading = model_class.from_pretrained(source, output_loading_info=True, **options)
            _say_missing(sorted(loading["missing_keys"]), f"hf:{name}")
        else:
            config = transformers.AutoConfig.from_pretrained(source, **options)
            build = getattr(model_class, "from_config", None) or model_class._from_config
            module = build(config)
    if getattr(module, "main_input_name", "") in SOUND and which is None:
        processor, missing = None, "it takes audio: pass the output of its feature extractor, as dictionaries"
    else:
        processor, missing = _processor(transformers, source, revision, which, name)
    versions = {"transformers": transformers.__version__}
    if processor is None:
        return Network(module, name, versions=versions, missing=missing)
    return with_processor(module, processor, name, versions)


def _hub_source(name: str) -> str:
    """Return the folder or the hub id for a name."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return str(folder)
    if name.startswith((".", "~", "/")) or name.count("/") > 1:
        raise UsageError(f"model=hf:{name}: there is no folder {folder}; expected one, or an id on the hub")
    return name


def _processor(
    transformers: ModuleType, source: str, revision: Mapping[str, Any], which: str | None, name: str
) -> tuple[Any, str]:
    """Return the tokenizer or image processor of a model, or None and why there is none."""
    found, reasons = {}, []
    for kind, loader in (("tokenizer", transformers.AutoTokenizer), ("image", transformers.AutoImageProcessor)):
        if which in (None, kind):
            try:
                if kind == "tokenizer":
                    _check_tokenizer(transformers, source, revision)
                found[kind] = loader.from_pretrained(source, **revision)
            except Exception as error:  # the error for a missing processor differs between models
                reasons.append(f"{kind}: {_first_line(error)}")
    if len(found) > 1:
        raise UsageError(
            f"hf:{name} comes with a tokenizer and an image processor: choose, hf:{name}?processor=tokenizer or "
            f"hf:{name}?processor=image"
        )
    return next(iter(found.values()), None), "; ".join(reasons)


def _check_tokenizer(transformers: ModuleType, source: str, revision: Mapping[str, Any]) -> None:
    """Raise ``OSError`` unless a model has tokenizer files, without which transformers makes an empty tokenizer."""
    for file in TOKENIZER_FILES:
        with contextlib.suppress(OSError):
            if transformers.utils.cached_file(source, file, **revision) is not None:
                return
    raise OSError(f"there is no {TOKENIZER_FILES[0]}, nor another file of a tokenizer")


def _say_missing(names: list[str], label: str) -> None:
    """Report which weights are drawn at random because the checkpoint lacks them."""
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        say(f"{label} lacks weights, which are drawn at random: {', '.join(names[:3])}{more}")


def _python(name: str, options: dict[str, Any]) -> Network:
    module_name, colon, function = name.partition(":")
    if not colon or not module_name or not function:
        raise UsageError(f"model=python:{name}: expected python:package.module:function")
    label = f"python:{name}"
    with _current_folder_first():
        with _one_line(label, f"is {module_name} in the current folder, or installed?"):
            module = importlib.import_module(module_name)
        make = getattr(module, function, None)
        if not callable(make):
            known = [each for each, value in vars(module).items() if callable(value) and not each.startswith("_")]
            raise _unknown("function", function, known, f"the file {getattr(module, '__file__', module_name)}")
        with _one_line(label, ""):
            made = make(**options)
    model, processor = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(model, torch.nn.Module):
        raise UsageError(
            f"model={label} returns {type(made).__name__}: expected a torch.nn.Module, or a pair of one and its "
            "tokenizer or transform"
        )
    return with_processor(model, processor, name, {})


def _start(options: dict[str, Any], label: str) -> tuple[bool, int]:
    """Remove from the options whether weights are pretrained, and the seed if they are not."""
    pretrained, seed = options.pop("pretrained", True), options.pop("seed", None)
    if not isinstance(pretrained, bool):
        raise UsageError(f"model={label}?pretrained={pretrained}: expected true or false")
    if seed is not None and (pretrained or isinstance(seed, bool) or not isinstance(seed, int)):
        raise UsageError(f"model={label}?seed={seed}: expected a whole number, together with pretrained=false")
    return pretrained, seed or 0


@contextlib.contextmanager
def _keyed(seed: int) -> Iterator[None]:
    """Draw weights that are not pretrained from the seed alone, without changing torch's generators."""
    with forked_torch(torch.device("cpu"), seed, "weights of a named network"):
        yield


def _library(package: str, label: str) -> ModuleType:
    """Return a library, or raise an error that says how to install it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise UsageError(
            f"model={label} needs the package {package}; install it with: pip install 'resi[{EXTRAS[package]}]' "
            f"({_first_line(error)})"
        ) from error


def _unknown(kind: str, name: str, known: Collection[str], where: str) -> UsageError:
    """Return the error for a name among too many to list."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    guess = f"; did you mean {' or '.join(near)}?" if near else "."
    return UsageError(f"unknown {kind} {name!r}{guess} See {where}.")


def _without_weights(label: str) -> str:
    return f"Without a network, start from random weights: {label}?pretrained=false"


@contextlib.contextmanager
def _one_line(label: str, advice: str) -> Iterator[None]:
    """Turn errors of libraries, hubs and third-party functions into one line."""
    try:
        yield
    except ResiError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {_first_line(error)}"
        raise UsageError(f"model={label} cannot be loaded: {reason}{'. ' + advice if advice else ''}") from error


def _first_line(error: BaseException) -> str:
    line = first_line(error)
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} ..."


@contextlib.contextmanager
def _current_folder_first() -> Iterator[None]:
    """Allow imports from the current folder, as ``python -m`` does."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(folder)
