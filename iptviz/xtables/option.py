"""One row of the option tables, and how a row is spelled.

A row is `"!--dport|--destination-port ports"`: a leading `!` where iptables allows negation, the name that
iptables-save prints and its aliases separated by `|`, then the kind of each value (a row of
`iptviz.xtables.values.kinds`, which says how it is read and printed). A kind that ends in `?` may be absent.
`=VALUE` at the end: iptables-save leaves the option out where it has this value; `+VALUE`: it adds the option
where it is absent. The rows of an extension stand in the order in which iptables-save prints them.
"""

from __future__ import annotations

from collections.abc import Callable

from iptviz.records import NamedTuple
from iptviz.xtables.words import quote_word


class Saving(NamedTuple):
    """Whose printing of rules is wanted, as iptables-save differs by family and, a little, by backend.

    `family` is `ipv4` or `ipv6`, `backend` is `legacy` or `nf_tables`.
    """

    family: str
    backend: str


class Option(NamedTuple):
    """One option as it stands in a rule; `name` is the spelling that iptables-save prints first."""

    name: str
    negated: bool
    values: tuple[str, ...]

    def text(self) -> str:
        """Return the option as one would type it."""
        return ("! " if self.negated else "") + " ".join((self.name or '""', *map(quote_word, self.values)))


def with_quotes(options: list[Option], *names: str) -> list[Option]:
    """Return the options with the values of `names`, which are printed as they are, in quotes if need be."""
    return [
        option._replace(values=tuple(map(quote_word, option.values))) if option.name in names else option
        for option in options
    ]


class OptionSpec(NamedTuple):
    """How one option is written: `name` as iptables-save prints it, `kinds` of the values it takes.

    `least` values must be there. A value equal to `omitted` is not printed; `added` is printed where the
    option is absent.
    """

    name: str
    negatable: bool
    kinds: tuple[str, ...]
    least: int
    omitted: str | None
    added: str | None

    @property
    def most(self) -> int:
        """How many values the option takes at most."""
        return len(self.kinds)


OptionTable = dict[str, OptionSpec]
Rewrite = Callable[[list[Option], Saving], list[Option]]


def table_of(rows: tuple[str, ...]) -> OptionTable:
    """Return `rows` as a mapping from every spelling of an option to its spec."""
    table: OptionTable = {}
    for row in rows:
        spellings, *words = row.removeprefix("!").split(" ")
        kinds = [word for word in words if word[0] not in "=+"]
        names = spellings.split("|")
        spec = OptionSpec(
            names[0],
            row.startswith("!"),
            tuple(kind.removesuffix("?") for kind in kinds),
            sum(not kind.endswith("?") for kind in kinds),
            *(next((word[1:] for word in words if word[0] == sign), None) for sign in "=+"),
        )
        table.update(dict.fromkeys(names, spec))
    return table
