"""The sections of ``cuda.py``, one module each with a function ``section(run)``."""
