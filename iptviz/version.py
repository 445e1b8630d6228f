"""The program's version, kept alone so that `--version` and the build read one line."""

__version__ = "0.1.0"
