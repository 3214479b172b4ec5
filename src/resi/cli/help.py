"""``resi --help``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.console import output

if TYPE_CHECKING:
    from collections.abc import Mapping

RUN = """\
[bold]resi[/bold] measures how alike the representations of neural networks are, and which measure can be trusted.

[bold]A run[/bold] trains or reads models, takes their representations, compares all pairs, and scores the measures:
  resi domain=graph test=augmentation measure=cka
  resi dataset=cora dataset.root=FOLDER 'measure=\\[cka,rsa]' measure.jaccard.k=20
[bold]A sweep[/bold] is many runs, one for each combination; each writes a shard:
  resi -m test=augmentation measure=cka,rsa hydra/launcher=joblib  (or submitit_local, slurm_cpu, slurm_gpu, ray)
  resi -m suite=smoke     a named list of runs; resi list suites, resi plan suite=smoke, resi list progress smoke

[bold]Commands[/bold] (each with --help)
{commands}

[bold]What is compared[/bold] (resi list shows the choices)
  domain     {domains}
  dataset    of the domain; dataset.root=FOLDER says where its files lie
  model      one or a list, of the domain; model.gcn.epochs=50 changes a hyperparameter
  models.source      train (default), or published: read the published checkpoints below models.root
  models.root        folder of published checkpoints; default: models/ of the data root
  representation     what is taken of a layer, where a domain has a choice; for graphs conv_output or post_activation,
                     for texts cls, mean or last
  test       {tests}
  measure    a name, a list, or: all, benchmark, fast
  protocol   corrected (default), or published: the published benchmark's numbers, defects included
  seeds      list of model seeds in each group, such as \\[0,1,2]
  groups     2, 3 (default) or 5; or a list of settings, such as \\[standard,label_randomization_50]

[bold]How[/bold]
  stage              models, representations, compare, score or all (default): how far to go
  device             auto (default: CUDA where there is one), cpu, cuda, cuda:N
  compare.memory     budget for prepared representations, such as 4GB (default auto: half the machine's)
  compare.threads    threads to compute with; in a sweep, those of each job
  compare.subsample  compare that many samples only, the same for all representations
  compare.overwrite  only_missing (default), failed, always: which stored comparisons are made again
  compare.isolate    true: compare in a process of its own, which may crash without harm to the rest
  compare.time_limit seconds after which a comparison is stopped and recorded as failed; needs compare.isolate=true
  on_error           record (default) or raise: what an error in one comparison does
  root               the data root; default $RESI_HOME, else $REP_SIM, else ./experiments
  shards             a URL, such as s3://bucket/folder, to which finished shards are copied

--cfg job prints the composed config, --hydra-help tells more about launchers and sweeps.
"""


def show_help(commands: Mapping[str, tuple[str, str]]) -> int:
    """Print the overview."""
    from resi.groundings import GROUNDINGS
    from resi.registry import domains

    lines = "\n".join(f"  resi {name:<10} {text}" for name, (_, text) in commands.items())
    output().print(RUN.format(commands=lines, domains=", ".join(domains()), tests=", ".join(GROUNDINGS)))
    return 0
