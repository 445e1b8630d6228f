"""The table of formats: name, suffixes, how a trace is written. Choices, help and `-o` come from it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from iptviz.errors import OutputError

if TYPE_CHECKING:
    from iptviz.questions.trace import TraceResult
    from iptviz.terminal import Style


class TraceWriter(Protocol):
    """Writes a trace; `fold` shortens long lists of endpoints."""

    def __call__(self, result: TraceResult, style: Style, *, fold: bool) -> str:
        """Return the text."""


class Format(NamedTuple):
    """A format: its suffixes, what it is for, and the function that writes a trace, as `module:name`."""

    name: str
    suffixes: tuple[str, ...]
    purpose: str
    trace: str

    @property
    def trace_writer(self) -> TraceWriter:
        """The function, imported when it is needed: a tree shall not wait for graphviz."""
        module, _, name = self.trace.partition(":")
        return cast("TraceWriter", getattr(import_module(module), name))


FORMATS = {
    one.name: one
    for one in (
        Format("tree", (".txt",), "for a terminal", "iptviz.render.tree:trace_tree"),
        Format("dot", (".dot", ".gv"), "for Graphviz", "iptviz.render.dot:trace_dot"),
        Format("json", (".json",), "for scripts", "iptviz.render.json:trace_json"),
    )
}
DEFAULT = FORMATS["tree"]
FORMAT_HELP = ", ".join(f"{one.name} ({one.purpose})" for one in FORMATS.values())


def choose_format(name: str | None, output: str | None) -> Format:
    """Return the format called `name`, else the one of the output file's suffix, else the tree.

    Raises:
        OutputError: no format has that name or suffix.
    """
    known = ", ".join(FORMATS)
    if name is not None:
        if name not in FORMATS:
            raise OutputError(f"there is no format {name!r}", hint=f"formats: {known}")
        return FORMATS[name]
    if output is None or output == "-":
        return DEFAULT
    for one in FORMATS.values():
        if output.lower().endswith(one.suffixes):
            return one
    raise OutputError("no format has this suffix", where=output, hint=f"choose one with -f: {known}")
