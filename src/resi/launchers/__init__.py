"""How the jobs of a sweep are run: one after another, in processes of this machine, by Slurm, by Ray."""
