"""TAB completion of the ``resi`` command in bash, zsh and fish: what can follow, from a stored list of names."""
