"""TAB completion: what can follow, in real shells as well, and names that are those that there are."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from resi import registry
from resi.cli import merge
from resi.cli.completion import collecting, names
from resi.cli.completion.candidates import candidates
from resi.cli.completion.installing import SHELLS
from resi.cli.completion.line import read_line
from resi.cli.main import COMMANDS, run_command
from resi.config.explain import _keys
from resi.config.words import PATHS
from resi.groundings import GROUNDINGS
from resi.machine import signals

BREAKS = " \t\n\"'@><=;|&(:"
SCRIPTS = Path(names.__file__).parent / "scripts"


@pytest.fixture(scope="module")
def known() -> names.Names:
    return collecting.collect_names(COMMANDS)


@pytest.fixture
def words(known: names.Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return what can follow a command line, in a folder with a data root, a table and a module."""
    for folder in ("experiments/shards/graph-cora-1", "experiments/shards/.part", "my_conf/suite"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("layers.npy", "my_measure.py", "my_conf/suite/mine.yaml"):
        (tmp_path / file).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RESI_HOME", raising=False)
    return lambda line: [found.word for found in candidates(read_line(line).words, known)]


def test_commands_and_keys_can_begin_a_line(words) -> None:
    first = words("resi ")
    assert set(COMMANDS) < set(first)
    assert {"domain=", "measure=", "measure.", "compare.", "seeds=", "suite=", "test="} < set(first)
    assert words("resi desc") == ["describe"]
    assert words("resi domain=graph desc") == []  # a command is the first word


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("resi compare.iso", ["compare.isolate="]),
        ("resi compare.isolate=", ["true", "false"]),
        ("resi compare.over", ["compare.overwrite="]),
        ("resi compare.overwrite=", ["only_missing", "failed", "always"]),
        ("resi test=", list(GROUNDINGS)),
        ("resi domain=vis", ["vision"]),
        ("resi domain=graph model=", ["gcn", "graphsage", "gat", "pgnn"]),
        ("resi domain=graph dataset=c", ["cora"]),
        ("resi dataset=ci", ["cifar100"]),  # of a domain that is yet to be named
        ("resi domain=graph representation=", ["conv_output", "post_activation"]),
        ("resi measure=ja", ["jaccard"]),
        ("resi -m measure=cka,ja", ["cka,jaccard"]),
        ("resi +measure=ja", ["jaccard"]),
        ("resi measure.jaccard.k", ["measure.jaccard.k="]),
        ("resi protocol=", ["corrected", "published"]),
        ("resi stage=sc", ["score"]),
        ("resi -m suite=smo", ["smoke"]),
        ("resi --config-dir my_conf -m suite=m", ["mine"]),
        ("resi -m hydra/launcher=slurm", ["slurm_cpu", "slurm_gpu"]),
        ("resi -m hydra/launcher=joblib hydra.launcher.n_j", ["hydra.launcher.n_jobs="]),
        ("resi hydra.launcher.n_j", []),
        ("resi plan test=aug", ["augmentation"]),
        ("resi measure.file=my", ["my_conf/", "my_measure.py"]),
        ("resi root=exp", ["experiments/"]),
        ("resi show ", ["graph-cora-1"]),
        ("resi show --root experiments gr", ["graph-cora-1"]),
        ("resi show graph-cora-1 ", []),
        ("resi list me", ["measures"]),
        ("resi list measures rs", ["rsa", "rsm_norm_difference"]),
        ("resi list scores test=aug", ["augmentation"]),
        ("resi list scores --correct ", ["holm", "bonferroni", "fdr_bh"]),
        ("resi list comparisons status=u", ["undefined"]),
        ("resi describe smok", ["smoke"]),
        ("resi describe resnet1", ["resnet18", "resnet101"]),
        ("resi compare lay", ["layers.npy", "layers="]),
        ("resi compare layers.npy lay", ["layers.npy", "layers="]),
        ("resi compare a b c lay", ["layers.npy", "layers="]),
        ("resi compare --plot=lay", ["--plot=layers.npy"]),
        ("resi check-measure my_m", ["my_measure.py"]),
        ("resi check-measure jac", ["jaccard"]),
        ("resi --install-completion z", ["zsh"]),
        ("resi-merge --j", ["--json"]),
        ("resi-merge --out exp", ["experiments/"]),
        ("resi clean --remove sha", ["shards"]),
        ("/usr/bin/resi-merge exp", ["experiments/"]),
        ("resi nothing=", []),
        ("resi compare no-such-folder/", []),
    ],
)
def test_what_follows(words, line: str, expected: list[str]) -> None:
    found = words(line)
    key = line.rpartition(" ")[2].partition("=")[0]
    if "=" in line.rpartition(" ")[2] and not key.startswith("-"):
        found = [word.removeprefix(f"{key}=") for word in found]
    assert sorted(found) == sorted(expected)


def test_a_list_goes_on_or_ends(words) -> None:
    assert words("resi 'measure=[cka,ja") == ["measure=[cka,jaccard,", "measure=[cka,jaccard]"]
    several = words("resi 'measure=[cka,")
    assert "measure=[cka,rsa" in several
    assert "measure=[cka,cka" not in several


def test_options_are_those_of_the_parsers(words) -> None:
    for command in COMMANDS:
        assert "--help" in words(f"resi {command} --"), command
    assert {"--root", "--outdated", "--json"} < set(words("resi list --"))
    assert {"--multirun", "--version", "--install-completion"} < set(words("resi --"))


def test_keys_and_names_are_all_that_there_are(known: names.Names, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = set(known["commands"][""]["keys"])
    monkeypatch.setattr("resi.registry.files.loaded_measures", dict)  # of files that other tests have read
    assert keys == {*_keys(), "hydra/launcher"} - {"models", "compare", "dataset.name", "hydra.launcher._target_"}
    assert all(known["commands"][""]["keys"][key][1] in ("files", "folders", []) for key in PATHS)
    assert set(known["lists"]["measures"]) == {*registry.measures(), *registry.SETS}
    for domain in registry.usable_domains():
        assert known["domains"][domain.name]["models"] == [item.name for item in domain.architectures()]


@pytest.mark.parametrize(
    ("text", "kept", "typed"),
    [
        ("resi measure=[cka,ja", 8, "[cka,jaccard]"),  # bash completes what follows the sign
        ("resi 'measure=[cka,ja", 0, "measure=[cka,jaccard]"),
        ('resi measure="[cka,ja', 8, "[cka,jaccard]"),
        ("a\\ b=1 'it''s' measure=[cka,ja", 8, "[cka,jaccard]"),
    ],
)
def test_bash_is_given_what_follows_where_it_divides_words(text: str, kept: int, typed: str) -> None:
    line = read_line(text, BREAKS)
    assert (line.words[-1], line.kept) == ("measure=[cka,ja", kept)
    assert line.as_typed("measure=[cka,jaccard]", "bash") == typed


def test_words_that_a_shell_would_divide_are_escaped() -> None:
    line = read_line("resi compare my")
    assert line.as_typed("my layers.npy", "bash") == "my\\ layers.npy"
    assert line.as_typed("measure=[cka", "zsh") == "measure=\\[cka"
    assert read_line("resi compare my\\ la 'a\\b").words[-2:] == ["my la", "a\\b"]


def test_names_are_stored_until_something_changes(known, tmp_path, monkeypatch) -> None:
    collected = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(collecting, "collect_names", lambda commands: collected.append(commands) or known)
    plugin, packages = tmp_path / "plugin.py", tmp_path / "packages"
    plugin.touch()
    packages.mkdir()
    monkeypatch.setattr(names, "_loaded_files", lambda: [str(plugin)])
    monkeypatch.syspath_prepend(packages)

    def times() -> int:
        assert names.load_names(COMMANDS) == json.loads(json.dumps(known))
        return len(collected)

    assert [times(), times()] == [1, 1]
    os.utime(plugin, ns=(0, 0))  # edited
    assert [times(), times()] == [2, 2]
    (packages / "another-1.0.dist-info").mkdir()  # installed
    os.utime(packages, ns=(0, 0))
    assert [times(), times()] == [3, 3]
    monkeypatch.setenv("RESI_LOAD_PLUGINS", "")
    assert [times(), times()] == [4, 4]
    names.names_file().write_text("{", encoding="utf-8")  # damaged
    assert [times(), times()] == [5, 5]


@pytest.fixture(scope="module")
def shell_environment(tmp_path_factory) -> dict[str, str]:
    """Return the variables of a shell in which ``resi`` completes as it does, and else prints the words it is given."""
    home = tmp_path_factory.mktemp("home")
    resi = home / "bin" / "resi"
    resi.parent.mkdir()
    resi.write_text(
        f'#!/bin/sh\n[ "$1" = --complete ] && exec {sys.executable} -P -m resi "$@"\nprintf "<%s>" "$@"\nprintf "\\n"\n'
    )
    resi.chmod(0o755)
    source = str(Path(names.__file__).parents[3])
    variables = {"HOME": str(home), "PATH": f"{resi.parent}:{os.environ['PATH']}", "PYTHONPATH": source}
    variables |= {"TERM": "dumb", "INPUTRC": os.devnull, "LC_ALL": "C.UTF-8"}
    subprocess.run([resi, "--complete", "bash", "resi "], env=variables, check=True, capture_output=True)
    return variables


def typed_into(shell: list[str], lines: list[str], variables: dict[str, str]) -> str:
    """Type lines into a shell at a terminal; return all that it shows."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(shell[0], shell, variables)
    os.write(terminal, "".join(f"{line}\n" for line in [*lines, "exit"]).encode())
    shown = b""
    with os.fdopen(terminal, "rb", buffering=0) as stream:
        try:
            while part := stream.read(65536):
                shown += part
        except OSError:  # what Linux says at the end
            pass
    os.waitpid(pid, 0)
    return shown.decode()


TYPED = ["resi desc\tsmok\t", "resi domain=vi\tmodel=resnet3\t", "resi 'measure=[cka,ja\t]'"]
GIVEN = ["<describe><smoke>", "<domain=vision><model=resnet34>", "<measure=[cka,jaccard]>"]


def test_bash_completes_what_is_typed(shell_environment: dict[str, str], tmp_path_factory) -> None:
    (folder := tmp_path_factory.mktemp("work")).joinpath("my data").mkdir()
    (folder / "my data" / "layer.npy").touch()
    lines = [
        f". {SCRIPTS / 'resi.bash'}",
        *TYPED,
        "resi measure=[cka,ja\t,rs\ta]",
        "resi compare.is\ttr\t",
        "resi root=/usr/bi\t",
        f"cd {folder}",
        "resi compare 'my d\tlay\t",
        "resi compare my\\ d\tlay\t",
    ]
    shown = typed_into(["bash", "--norc", "--noprofile", "-i"], lines, shell_environment)
    for given in [*GIVEN, "<measure=[cka,jaccard,rsa]>", "<compare.isolate=true>", "<root=/usr/bin/>"]:
        assert given in shown
    assert shown.count("<compare><my data/layer.npy>") == 2


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_completes_what_is_typed(shell_environment: dict[str, str]) -> None:
    lines = [f". {SCRIPTS / 'resi.zsh'}", *TYPED, "resi compare.is\ttr\t"]
    shown = typed_into(["zsh", "-f", "-i"], lines, shell_environment)
    for given in [*GIVEN, "<compare.isolate=true>"]:
        assert given in shown


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes_what_is_typed(shell_environment: dict[str, str]) -> None:
    script = f"source {SCRIPTS / 'resi.fish'}; complete -C \"resi 'measure=[cka,ja\"; complete -C 'resi desc'"
    found = subprocess.run(
        ["fish", "--no-config", "-c", script], env=shell_environment, capture_output=True, text=True, check=True
    )
    first, second, third = found.stdout.splitlines()
    assert [first, second] == ["measure=[cka,jaccard,", "measure=[cka,jaccard]"]
    assert third == f"describe\t{COMMANDS['describe'][1]}"


@pytest.mark.parametrize("shell", SHELLS)
def test_installing_says_what_it_wrote_and_how_to_undo_it(shell, tmp_path, monkeypatch, capsys) -> None:
    for variable in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "ZDOTDIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", f"/usr/bin/{shell}")
    monkeypatch.setattr(names, "load_names", lambda commands: {})
    start = {"bash": ".bashrc", "zsh": ".zshrc"}.get(shell)
    if start:
        (tmp_path / start).write_text("alias ll='ls -l'")  # without a line's end
    assert [run_command(["--install-completion"]), run_command(["--install-completion", shell])] == [0, 0]
    said = capsys.readouterr().err
    written = next(Path(line.removeprefix("written: ")) for line in said.splitlines() if line.startswith("written: "))
    run_command(["--show-completion", shell])
    assert written.read_text() == capsys.readouterr().out
    assert f"rm {written}" in said
    if start:
        lines = (tmp_path / start).read_text().splitlines()
        assert [lines[0], len(lines)] == ["alias ll='ls -l'", 2]  # and once, for twice asked
        assert str(written) in lines[1]
        assert f"delete that line of {tmp_path / start}" in said


def test_resi_merge_is_asked_by_its_own_name(tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "experiments").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signals, "leave", lambda code: None)
    for text, expected in (("resi-merge --j", "--json"), ("resi-merge exp", "experiments/")):
        monkeypatch.setattr(sys, "argv", ["resi-merge", "--complete", "bash", text, BREAKS])
        merge.entry()
        assert capsys.readouterr().out.split("\t")[0].strip() == expected


def test_only_folders_with_a_whole_path_are_written_to(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(names, "load_names", lambda commands: {})
    monkeypatch.setenv("HOME", "")
    assert run_command(["--install-completion", "bash"]) == 2
    assert "HOME is not the path of a folder" in capsys.readouterr().err
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "ZDOTDIR"):
        monkeypatch.setenv(variable, "rel")
    for shell in SHELLS:
        assert run_command(["--install-completion", shell]) == 0
    assert not (tmp_path / "rel").exists()
    assert names.names_file().parent == tmp_path / ".cache/resi"
    assert (tmp_path / ".bashrc").read_text().startswith(f"source {tmp_path}/.local/share/resi/completion.bash")


def test_nothing_is_written_where_the_start_of_the_shell_cannot_be(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".bashrc").mkdir()
    assert run_command(["--install-completion", "bash"]) == 1
    said = capsys.readouterr().err
    assert f"cannot write {tmp_path / '.bashrc'}: Is a directory. resi --show-completion bash prints the script" in said
    assert [path.name for path in tmp_path.iterdir()] == [".bashrc"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--complete"], "resi --complete SHELL LINE is what shells call at a TAB"),
        (["--complete", "bash"], "resi --complete SHELL LINE is what shells call at a TAB"),
        (["--complete", "bsh", "resi "], "unknown shell 'bsh'; did you mean bash"),
        (["--install-completion", "bsh"], "unknown shell 'bsh'; did you mean bash"),
        (["--show-completion"], "write resi --show-completion bash|zsh|fish"),
    ],
)
def test_a_shell_that_is_not_known(words, message, monkeypatch, capsys) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")
    assert run_command(words) == 2
    assert message in capsys.readouterr().err
