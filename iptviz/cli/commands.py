"""The table of commands, and what each does."""

from __future__ import annotations

from importlib.util import find_spec
from types import CodeType
from typing import Any

COMMANDS = {
    "trace": "iptviz.cli.trace:trace_command",
    "services": "iptviz.cli.services:services_command",
    "check": "iptviz.cli.check:check_command",
    "explain": "iptviz.cli.explain:explain_command",
    "packet": "iptviz.cli.packet:packet_command",
    "diff": "iptviz.cli.diff:diff_command",
    "verify": "iptviz.cli.verify:verify_command",
    "fleet": "iptviz.cli.fleet:fleet_command",
    "graph": "iptviz.cli.graph:graph_command",
    "report": "iptviz.cli.report:report_command",
    "redact": "iptviz.cli.redact:redact_command",
    "sources": "iptviz.cli.sources:sources_command",
}
"""The function behind each command, as `module:name`, in the order of the help."""


def docstring_of(place: str) -> str:
    """Return the docstring of the function at `module:name`, which is looked up where the module is compiled.

    To import the modules of all commands for a list of them takes twice as long as all else.
    """
    module, _, name = place.partition(":")
    loader: Any = getattr(find_spec(module), "loader", None)
    functions = (one for one in loader.get_code(module).co_consts if isinstance(one, CodeType))
    found = next(one.co_consts[0] for one in functions if one.co_name == name)
    return found if isinstance(found, str) else ""
