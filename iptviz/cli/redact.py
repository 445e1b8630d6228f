"""`iptviz redact`: the same dump in pseudonyms."""

from typing import Annotated

from iptviz.cli.command import command
from iptviz.cli.ending import ANSWERED
from iptviz.cli.options import DUMP, After, Options
from iptviz.cli.progress import Bar
from iptviz.cli.redacting import redacted
from iptviz.cli.run import load_node
from iptviz.cli.told import option
from iptviz.output import write_answer
from iptviz.redact.named import Named

_PART = 1 << 20
"""So many characters are written at once: not all of a large dump stands in memory twice."""


@command(without=("format_name", "as_json", "show_all", "redact", "color", "ascii_only", "exit_zero"))
def redact_command(
    options: Options,
    dump: Annotated[str | None, DUMP, Named.DUMP],
    ports: Annotated[
        bool, option("--ports", text="Redact ports, too."), Named.NOTHING, After("mapping")
    ] = False,
    *,
    bar: Bar,
) -> int:
    """Print the same dump, or listing of nft, with pseudonyms for addresses, names, interfaces and sets.

    Equal names get equal pseudonyms: addresses stay in their networks, kube-proxy's hashes are computed anew,
    and the redacted dump gives the same answers. Loopback, link-local and multicast addresses stay, and so do
    ports, and the names that programs give chains, sets and interfaces.
    """
    text = redacted(load_node(dump, options, bar), options, ports=ports, progress=bar)
    bar.end()
    write_answer((text[at : at + _PART] for at in range(0, len(text), _PART)), options.output)
    return ANSWERED
