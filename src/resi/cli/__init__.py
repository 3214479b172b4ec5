"""The `resi` subcommands, one short file each."""
