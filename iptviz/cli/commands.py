"""The table of commands."""

from __future__ import annotations

COMMANDS = {
    "trace": "iptviz.cli.trace:trace_command",
    "services": "iptviz.cli.services:services_command",
    "check": "iptviz.cli.check:check_command",
    "explain": "iptviz.cli.explain:explain_command",
    "packet": "iptviz.cli.packet:packet_command",
    "verify": "iptviz.cli.verify:verify_command",
    "graph": "iptviz.cli.graph:graph_command",
    "report": "iptviz.cli.report:report_command",
    "redact": "iptviz.cli.redact:redact_command",
    "sources": "iptviz.cli.sources:sources_command",
}
"""The function behind each command, as `module:name`, in the order of the help."""
