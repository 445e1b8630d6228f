"""The canonical form of a rule: the text that iptables-save would print for it, however it was typed."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import TYPE_CHECKING

from iptviz.xtables.matches import BASIC, match_options
from iptviz.xtables.option import Option, OptionSpec, OptionTable, Rewrite
from iptviz.xtables.saved.matches import MATCH_REWRITES, joined_matches
from iptviz.xtables.saved.targets import TARGET_REWRITES
from iptviz.xtables.targets import target_spec
from iptviz.xtables.values.kinds import print_value
from iptviz.xtables.words import quote_word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iptviz.grammar.parts import RuleParts, Target
    from iptviz.xtables.option import Saving

_ORDER = {name: place for place, name in enumerate(("-s", "-d", "-i", "-o", "-p", "-f"))}
# What every packet satisfies is not printed; the interface `+` is any interface.
_ANY = {
    ("-s", "0.0.0.0/0"),
    ("-s", "::/0"),
    ("-d", "0.0.0.0/0"),
    ("-d", "::/0"),
    ("-p", "all"),
    ("-i", "+"),
    ("-o", "+"),
}
# So many characters may the lines of one rule have: two long lists of addresses make a rule of each pair.
_LONGEST = 1 << 26
_MOST_ADDRESSES = 1 << 14  # a word of a command line has no room for more


def canonical_text(text: str, parts: RuleParts, saving: Saving) -> str:
    """Return the rule as iptables-save prints it, in several lines where iptables makes several rules of it.

    iptables makes one rule for each of the addresses in `-s 10.0.0.1,10.0.0.2`. What is not understood stands
    where it stood, as it was typed.
    """
    if parts.problem and not parts.target and not parts.basics and not parts.matches:
        return text  # its words cannot be told apart
    matches = [(match.name, match.options) for match in parts.matches]
    if not parts.unknown:  # the place of an unknown option is told by the matches before it
        matches = joined_matches(matches, saving)
    groups = [
        *([f"-m {quote_word(name)}", *_print_match(name, options, saving)] for name, options in matches),
        *([_print_target(parts.target, saving)] if parts.target else []),
    ]
    strays = [stray for stray in parts.unknown if not stray.option.name.startswith("-m ")]
    for stray in strays:
        if stray.place:
            groups[stray.place - 1].append(stray.option.text())
    first = [stray.option.text() for stray in strays if not stray.place]
    rest = " ".join((*first, *(word for group in groups for word in group)))
    return "\n".join(
        " ".join(filter(None, ("-A", quote_word(parts.chain), *basics, rest)))
        for basics in _print_basics(parts.basics, saving, len(rest))
    )


def _print_basics(basics: Sequence[Option], saving: Saving, rest: int) -> Iterator[tuple[str, ...]]:
    """Yield the basic options in their order, once for each pair of addresses; as typed if these are too many."""
    ordered = sorted(
        (option for option in basics if option.name in _ORDER), key=lambda option: _ORDER[option.name]
    )
    choices = [_print_basic(option, saving) for option in ordered]
    longest = rest + sum(max(map(len, choice)) for choice in choices)
    if longest * prod(map(len, choices)) > _LONGEST:
        choices = [[option.text()] for option in ordered]
    return product(*(choice for choice in choices if choice))


def _print_basic(option: Option, saving: Saving) -> list[str]:
    """Return the option, once for each of its addresses; an empty text for what every packet satisfies."""
    each = [option]
    if option.name in {"-s", "-d"} and option.values:
        each = [
            option._replace(values=(address,)) for address in option.values[0].split(",", _MOST_ADDRESSES)
        ]
    if len(each) > _MOST_ADDRESSES:
        return [option.text()]
    printed = [_print_option(single, BASIC[option.name], saving) for single in each]
    return ["" if tuple(text.split(" ", 1)) in _ANY else text for text in printed]


def _print_match(name: str, options: tuple[Option, ...], saving: Saving) -> list[str]:
    return _print_options(options, match_options(name), MATCH_REWRITES.get(name), saving)


def _print_target(target: Target, saving: Saving) -> list[str]:
    word = "-g" if target.goto else "-j"
    spec = None if target.goto else target_spec(target.name)  # one goes to chains alone
    rewrite = TARGET_REWRITES.get(target.name) if spec else None
    return [
        f"{word} {quote_word(target.name)}",
        *_print_options(target.options, spec and spec.options, rewrite, saving),
    ]


def _print_options(
    options: Sequence[Option], table: OptionTable | None, rewrite: Rewrite | None, saving: Saving
) -> list[str]:
    """Return the options of one extension in the order in which iptables-save prints them."""
    if table is None:
        return [option.text() for option in options]
    if rewrite:
        options = rewrite(list(options), saving)
    place = {spec.name: number for number, spec in enumerate(dict.fromkeys(table.values()))}
    return [
        printed
        for option in sorted([*options, *_added(options, table)], key=lambda option: place[option.name])
        if (printed := _print_option(option, table[option.name], saving))
    ]


def _added(options: Iterable[Option], table: OptionTable) -> Iterator[Option]:
    """Yield the options that iptables-save prints though they were not typed."""
    there = {option.name for option in options}
    for spec in dict.fromkeys(table.values()):
        if spec.added is not None and spec.name not in there:
            yield Option(spec.name, negated=False, values=(spec.added,))


def _print_option(option: Option, spec: OptionSpec, saving: Saving) -> str:
    """Return the option with its values as printed, or nothing for a value that is left out."""
    values = [
        print_value(kind, value, saving) for kind, value in zip(spec.kinds, option.values, strict=False)
    ]
    if spec.omitted is not None and values == [spec.omitted] and not option.negated:
        return ""
    return " ".join((*(["!"] if option.negated else []), spec.name, *values))
