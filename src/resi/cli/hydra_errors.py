"""Hydra's errors in one line each."""

from __future__ import annotations


def explain_hydra(error: BaseException) -> str | None:
    """Return what a Hydra or OmegaConf error means for the user, or None for any other error."""
    from hydra.errors import HydraException, MissingConfigException
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _unknown_choice(error)
    if isinstance(error, HydraException | OmegaConfBaseException):
        cause = error.__cause__ or error.__context__
        lines = [line for line in str(error).splitlines() if line.strip()]
        message = lines[0] if lines else type(error).__name__
        if isinstance(cause, OmegaConfBaseException) and str(cause).strip():
            message = f"{message.removeprefix('Error merging override ')}: {str(cause).splitlines()[0]}"
        return f"{message} (resi --help lists the keys)"
    return None


def _unknown_choice(error: BaseException) -> str:
    from resi.config import register
    from resi.errors import unknown_name
    from resi.registry import measures

    register()
    path = str(getattr(error, "missing_cfg_file", ""))
    group, _, name = path.rpartition("/")
    options = getattr(error, "options", None) or []
    if group == "measure" and name not in options:
        # Says which plugins failed to load, too.
        try:
            measures().get(name)
        except Exception as unknown:
            return str(unknown)
    return str(unknown_name(group or "config", name, options))
