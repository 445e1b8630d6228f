"""`--show-completion`, `--install-completion`: what makes a shell ask the program what may stand there."""

from __future__ import annotations

import os
from pathlib import Path
from pkgutil import get_data

from iptviz.errors import OutputError, near
from iptviz.records import NamedTuple


class Shell(NamedTuple):
    """A shell: the folder, in an environment variable's or below the home, where it looks for completions.

    `file` is what it calls that of a program; `hint` what to do where it does not look there.
    """

    base: str
    default: str
    file: str
    hint: str


SHELLS = {
    "bash": Shell(
        "XDG_DATA_HOME",
        ".local/share",
        "bash-completion/completions/iptviz",
        "New shells use it where bash-completion is loaded; elsewhere add to ~/.bashrc: source {path}",
    ),
    "zsh": Shell(
        "XDG_DATA_HOME",
        ".local/share",
        "zsh/site-functions/_iptviz",
        "Add to ~/.zshrc, before compinit: fpath+=({folder})",
    ),
    "fish": Shell("XDG_CONFIG_HOME", ".config", "fish/completions/iptviz.fish", "New shells use it."),
}
"""The shells that can ask."""


def script_of(shell: str) -> str:
    """Return the script for a shell.

    Raises:
        OutputError: there is none for it, or the shell that runs is not known.
    """
    name = _known(shell)
    return (get_data("iptviz", f"completions/iptviz.{name}") or b"").decode()


def install(shell: str) -> str:
    """Write the script where a shell looks for it, for this user; return what to say.

    Raises:
        OutputError: there is no script for the shell, or the file cannot be written.
    """
    name = _known(shell)
    path = _place(SHELLS[name])
    from iptviz.output import write_answer

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot be made: {error.strerror}", where=str(path.parent)) from None
    write_answer(script_of(name), str(path))
    return f"{name} completion written to {path}\n{SHELLS[name].hint.format(path=path, folder=path.parent)}"


def _place(shell: Shell) -> Path:
    base = os.environ.get(shell.base)
    return (Path(base) if base else Path.home() / shell.default) / shell.file


def _known(shell: str) -> str:
    """Return the name of a shell that is typed, or of the one that runs."""
    name = shell or _running()
    if name not in SHELLS:
        what = f'no completion for "{name}"' if name else "cannot tell which shell this is"
        raise OutputError(what, hint=f"{near(name, SHELLS)}shells: {', '.join(SHELLS)}")
    return name


def _running() -> str:
    """Return the name of the shell that started the program, else of the one in which its user logs in."""
    try:
        parent = Path(f"/proc/{os.getppid()}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:  # not Linux
        parent = ""
    return parent if parent in SHELLS else Path(os.environ.get("SHELL", "")).name
