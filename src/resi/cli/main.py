"""The ``resi`` command: a subcommand, or a run or sweep composed by Hydra."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.choices import Status
from resi.console import accept_all_text, say
from resi.console.plain_text import visible
from resi.errors import ResiError, UsageError
from resi.machine.signals import INTERRUPTED, TERMINATED, Terminated, leave, raise_on_term

if TYPE_CHECKING:
    from collections.abc import Iterator

    from omegaconf import DictConfig

# Subcommand -> (module with a `main(words) -> exit code`, what it does).
COMMANDS = {
    "extract": ("resi.cli.extract", "run your own network over data, and write what its layers compute"),
    "compare": ("resi.cli.compare", "compare layers in files and folders: table, heat map"),
    "list": (
        "resi.cli.list",
        "list measures, models, datasets, tests, domains, plugins, suites; results: shards, scores, comparisons; "
        "progress of suites",
    ),
    "show": ("resi.cli.show", "show one run: its config, versions and scores, and why comparisons failed"),
    "describe": ("resi.cli.describe", "describe one measure, model, dataset, test, domain or suite in full"),
    "new-measure": ("resi.cli.new_measure", "write a package with a measure of your own to start from, tests included"),
    "check-measure": (
        "resi.cli.check_measure",
        "check whether your measure does what it states, and what it costs",
    ),
    "plan": ("resi.cli.plan", "print what a run, sweep or suite would do, with estimates; starts nothing"),
    "merge": ("resi.cli.merge", "combine the shards of many runs into one table (also: resi-merge)"),
    "download": ("resi.cli.download", "fetch published models, results and datasets to where runs look for them"),
    "convert": ("resi.cli.convert", "turn a configuration of the published benchmark into command lines or a suite"),
    "prepare": ("resi.cli.prepare", "bring the archive of a dataset into the layout that runs read"),
    "report": ("resi.cli.report", "write results as a page for the browser: the answer and its evidence"),
    "doctor": ("resi.cli.doctor", "check what works on this machine, and say what to do about the rest"),
    "clean": (
        "resi.cli.clean",
        "show what is in the data root; remove what nothing refers to, on request",
    ),
}

WITHOUT_WORK = ("doctor", "clean", "check-measure")
"""Commands that leave no work behind which they could resume."""
ABOUT = ("-h", "--help", "help", "--version", "--install-completion", "--show-completion", "--complete")
"""Options that are about the command itself, and start no run."""


def main() -> None:
    """Run the command line, and exit with its code: see docs/faults.md."""
    raise_on_term()
    _open_closed()
    accept_all_text()
    leave(_flushed(run_command(sys.argv[1:])))


def _open_closed() -> None:
    """Replace standard streams that were closed for this process, so that what is printed goes nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123 - until the end


def _flushed(code: int) -> int:
    """Write what is left of the output; return the exit code, which is 1 if it cannot be written."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not code:
            say(f"resi: {explain(error)[0]}")
        return code or 1
    return code


def run_command(words: list[str]) -> int:
    """Run a command line; return the exit code.

    An error a user can do something about is one line on standard error; ``HYDRA_FULL_ERROR=1`` adds the traceback.
    """
    for name in ("RESI_HOME", "REP_SIM"):
        if os.environ.get(name) == "":
            del os.environ[name]  # an empty variable does not name a data root
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR", "0") not in ("", "0")
    try:
        return _dispatch(words)
    except KeyboardInterrupt as stop:
        is_term = isinstance(stop, Terminated)
        word = "terminated" if is_term else "interrupted"
        say(word if words[:1] and words[0] in WITHOUT_WORK else f"{word}; finished work is kept, and the same command "
            "resumes it")  # fmt: skip
        return TERMINATED if is_term else INTERRUPTED
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if wants_traceback:
            raise
        message, code = explain(error)
        say(f"resi: {message}")
        return code


def explain(error: BaseException) -> tuple[str, int]:
    """Return the line and exit code for an error."""
    if isinstance(error, ResiError):
        return str(error), error.exit_code
    try:
        from resi.config.explain import explain_hydra

        found = explain_hydra(error)
    except Exception:  # Hydra or what it needs does not import, which may be the error
        found = None
    if found:
        return found, 2
    if isinstance(error, OSError) and error.filename:
        reason = "it is not a folder" if isinstance(error, FileExistsError) else error.strerror
        return f"cannot use {error.filename}: {reason}. Check RESI_HOME, free space and permissions.", 1
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "cannot write the output: no space is left where it goes", 1
    if type(error).__name__ == "TerminatedWorkerError":  # of joblib, which is not imported for this
        return "a process of the sweep was killed; finished work is kept, and the same command resumes it", 1
    return f"{type(error).__name__}: {' '.join(str(error).split())} (HYDRA_FULL_ERROR=1 shows where)", 1


def _dispatch(words: list[str]) -> int:
    first = words[0] if words else ""
    if first in COMMANDS:
        return int(importlib.import_module(COMMANDS[first][0]).main(words[1:]))
    if first in ABOUT:
        return _about(first, words[1:])
    if first and not first.startswith("-") and "=" not in first and first[0] not in "+~":
        from resi.cli.unknown import unknown_command

        raise unknown_command(words, list(COMMANDS))
    if {"-h", "--help"}.intersection(words):  # Hydra has a help of its own, which says nothing of resi
        return _about("--help", [])
    return _run_hydra(words)


def _about(word: str, rest: list[str]) -> int:
    """Do what an option asks that is about the command itself."""
    from resi.cli.completion import installing

    if word == "--complete":
        return installing.complete(rest, COMMANDS)
    if word == "--show-completion":
        return installing.show_completion(rest)
    if word == "--install-completion":
        return installing.install_completion(rest, COMMANDS)
    from resi.cli.help import show_help, show_versions  # not for --complete, which a TAB waits for

    if rest and word != "--version" and rest[0] in COMMANDS:
        return _dispatch([rest[0], "--help"])
    if rest:
        but = "" if word == "--version" else " but a command"
        raise UsageError(f"resi {word} {' '.join(rest)}: nothing can follow {word}{but}")
    return show_versions() if word == "--version" else show_help(COMMANDS)


def _run_hydra(words: list[str]) -> int:
    import hydra
    from hydra.core.config_store import ConfigStore

    from resi.cli.guide import say_default
    from resi.config.loading import config_folder
    from resi.config.own_measures import with_files, without_files
    from resi.config.register import register
    from resi.config.words import check_once, check_options, check_words, quoted
    from resi.sweeps.jobs import split_words
    from resi.sweeps.sweep import Sweep

    if not words:
        say_default()
    check_options(words)
    check_once(words)
    register()
    words = with_files(quoted(words), without_files(ConfigStore.instance()))
    words, asked = split_words(words)
    check_words(words)
    ended: list[int | Exception] = []

    def job(composed: DictConfig) -> int:
        # Hydra prints around an error that leaves the job, so none does.
        if _is_sweep():
            return sweep_job(composed)
        try:
            ended.append(run_job(composed))
        except Exception as error:
            ended.append(error)
        return 0

    sweep = Sweep(asked)
    with _as_command_line(words), sweep.running():
        hydra.main(version_base="1.3", config_path=str(config_folder()), config_name="config")(job)()
    for outcome in ended:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome
    return sweep.exit_code


@contextlib.contextmanager
def _as_command_line(words: list[str]) -> Iterator[None]:
    """Give Hydra words as those of the process's command line, and let it raise errors instead of printing them."""
    before = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv = [sys.argv[0], *words]
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        sys.argv = before[0]
        if before[1] is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = before[1]


def _is_sweep() -> bool:
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    return bool(HydraConfig.get().mode is RunMode.MULTIRUN)


def run_job(composed: DictConfig) -> int:
    """Run one composed config and print its table; return 0, or 1 if comparisons failed or models are missing."""
    from hydra.core.hydra_config import HydraConfig

    from resi.cli.guide import say_next, say_work
    from resi.cli.tables import print_result
    from resi.config.compose import check_choices
    from resi.config.validate import validate
    from resi.pipeline.run import run_config

    _quiet()
    check_choices(HydraConfig.get())
    config = validate(composed)
    result = run_config(config, announce=say_work)
    print_result(config, result)
    say_next(result)
    return 1 if result.count(Status.failed) or result.missing else 0


def sweep_job(composed: DictConfig) -> int:
    """Run one job of a sweep, in any process; an error ends only this job and is recorded for the sweep's report."""
    from hydra.core.hydra_config import HydraConfig

    from resi.cli.tables import print_result
    from resi.config.compose import check_choices, task_words
    from resi.config.register import register
    from resi.config.validate import validate
    from resi.config.words import label
    from resi.console.redaction import redact_all
    from resi.pipeline.run import run_config
    from resi.results.shards import count_statuses
    from resi.sweeps import records

    _quiet()
    raise_on_term()
    register()
    hydra = HydraConfig.get()
    folder = Path(hydra.runtime.output_dir)
    words = redact_all(task_words(hydra))
    record: dict[str, Any] = {"number": hydra.job.num, "job": label(words), "words": words, "counts": {}}
    records.note_start(folder, record)
    try:
        check_choices(hydra)
        config = validate(composed)
        result = run_config(config)
        print_result(config, result)
        failed = result.count(Status.failed)
        made = "read from its shard" if result.reused else "done"
        record |= {
            "stage": config.stage.value,
            "outcome": "comparisons failed" if failed else "models missing" if result.missing else made,
            "counts": count_statuses(result.comparisons),
            "noted": result.noted,
            "detail": result.shard.name,
            "exit_code": 1 if failed or result.missing else 0,
        }
    except Exception as error:
        message, code = explain(error)
        record |= {"outcome": records.FAILED, "detail": message, "exit_code": code}
        say(f"resi: {record['job']}: {message}")
    records.note_job(folder, record)
    return int(record["exit_code"])


def _quiet() -> None:
    # PyG compiles a few functions in a way that recent torch announces to drop; nothing a user of resi could change.
    warnings.filterwarnings("ignore", message=".*torch.jit.script", category=FutureWarning)
    warnings.formatwarning = _visible_warning


def _visible_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Return a warning as Python shows it, with control characters made visible: it may quote anything."""
    text = visible(str(message).rstrip())
    return f"{filename}:{lineno}: {category.__name__}: {text}\n{f'  {line.strip()}' if line else ''}"
