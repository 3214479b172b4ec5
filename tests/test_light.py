"""What must be instant imports nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "torch",
    "torch_geometric",
    "timm",
    "torchvision",
    "sklearn",
    "scipy",
    "transformers",
    "pandas",
    "pyarrow",
    "numba",
)
CODE = "import sys\n{code}\nsys.stderr.write(' '.join(name for name in {heavy!r} if name in sys.modules))"


def heavy_imports(code: str) -> list[str]:
    script = CODE.format(code=code, heavy=HEAVY)
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return found.stderr.split()


@pytest.mark.parametrize(
    "code",
    [
        "import resi",
        "import resi; resi.Measure, resi.list_measures(), resi.load, resi.save, resi.Representations",
        "from resi.cli.main import run_command; run_command(['--help'])",
        "from resi.cli.main import run_command; run_command(['list', 'measures'])",
        "from resi.cli.main import run_command; run_command(['list', 'models'])",
        "from resi.cli.main import run_command; run_command(['describe', 'cka'])",
        "from resi.cli.main import run_command; run_command(['doctor', '--seconds', '0'])",
        "from resi.config.compose import compose; compose([])",
        "import resi.cli.compare, resi.cli.extract, resi.cli.convert, resi.published.convert.configuration",
    ],
)
def test_no_heavy_module_is_loaded(code: str) -> None:
    assert heavy_imports(code) == []


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["list", "measures"], ["list", "tests"]])
def test_help_and_lists_do_without_numpy(words: list[str]) -> None:
    script = (
        f"import sys; from resi.cli.main import run_command; run_command({words!r}); assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)


def test_a_finished_run_is_read_without_torch(tmp_path) -> None:
    import resi
    from tests.conftest import TINY

    words = [*TINY, "measure=cka", f"root={tmp_path}"]
    resi.run(words)
    code = f"from resi.cli.main import run_command; run_command({words!r})"
    assert "torch" not in heavy_imports_after(code)


def heavy_imports_after(code: str) -> list[str]:
    script = CODE.format(code=code, heavy=HEAVY)
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert "finished before" in found.stderr
    return found.stderr.splitlines()[-1].split()


def test_a_module_that_another_thread_is_loading_is_waited_for(tmp_path) -> None:
    (tmp_path / "slowly.py").write_text("import time\ntime.sleep(0.3)\nis_whole = True\n")
    code = f"""
import sys, threading, time
from resi.lazy import loaded
sys.path.insert(0, {str(tmp_path)!r})
assert loaded("slowly") is None
threading.Thread(target=__import__, args=("slowly",)).start()
while "slowly" not in sys.modules:
    time.sleep(0.001)
assert loaded("slowly").is_whole
sys.modules["slowly"] = None
assert loaded("slowly") is None
"""
    subprocess.run([sys.executable, "-c", code], check=True)
