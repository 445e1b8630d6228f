"""What the reading of a dump leaves open: lines that are missing, tables that cannot be shown, poor forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import Evidence, diagnosis, found
from iptviz.checks.wording import and_more, sentence, text
from iptviz.intake.remark import remark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Diagnosis, Finding
    from iptviz.dump.model import Dump
    from iptviz.intake.remark import LineNote, Remark

_MOST_PLACES = 4
_MOST_GAPS = 3


def check(node: Examined) -> Iterator[Finding]:
    """Yield why the dump may lack something: one finding for each kind of reason, whatever the places."""
    kinds: dict[Diagnosis, list[Remark]] = {}
    for gap in _unexplained(by_line(node.dump.gaps)):
        kinds.setdefault(_diagnosis_of(gap), []).append(gap)
    for what, same in kinds.items():
        yield _finding(what, same)


def gaps(dump: Dump) -> Iterator[Finding]:
    """Yield why the dump may lack something, by line: one finding for each of its gaps; of an excerpt, one."""
    found = _told_once(_unexplained(by_line(dump.gaps)))
    of_excerpt = [gap for gap in found if gap.id in _OF_AN_EXCERPT]
    if len(of_excerpt) > 1 and any(gap.id in {"chains-undeclared", "part-of-table"} for gap in of_excerpt):
        yield _finding(partial_dump, [_excerpt(of_excerpt)])
        found = [gap for gap in found if gap not in of_excerpt]
    for gap in found:
        yield _finding(_diagnosis_of(gap), [gap])


def _unexplained(gaps: Sequence[Remark]) -> list[Remark]:
    """Return gaps but for tables that are missing, where it is told why: nat could not be read."""
    is_told = any(_diagnosis_of(gap) is nat_unreadable for gap in gaps)
    return [gap for gap in gaps if not (is_told and gap.id == "table-missing")]


def _told_once(gaps: Sequence[Remark]) -> list[Remark]:
    """Return gaps but for those that name built-in chains not listed, where another says that none is."""
    tables = {dict(one.values)["table"] for one in gaps if one.id == "part-of-table"}
    return [gap for gap in gaps if gap.id != "chains-unlisted" or dict(gap.values)["table"] not in tables]


_OF_AN_EXCERPT = ("chains-undeclared", "part-of-table", "table-not-named", "table-missing")
"""Gaps that have one cause: somebody took some lines of a dump."""


def _excerpt(gaps: Sequence[Remark]) -> Remark:
    """Return the gaps of an excerpt as one: its tables, those that no line names, and those that are missing."""
    tables = {
        what: tuple(dict.fromkeys(str(dict(gap.values)["table"]) for gap in gaps if gap.id == what))
        for what in _OF_AN_EXCERPT
    }
    return remark(
        "excerpt", gaps[0].line, undeclared=tables["chains-undeclared"], parts=tables["part-of-table"],
        unnamed=tables["table-not-named"], missing=tables["table-missing"],
    )  # fmt: skip


def _finding(what: Diagnosis, same: Sequence[Remark]) -> Finding:
    made = found(what, line=same[0].line, gaps=tuple(same))
    return made._replace(evidence=tuple(Evidence(gap.line, "") for gap in same), times=len(same))


def _diagnosis_of(gap: Remark) -> Diagnosis:
    """Return what a gap is; a table that cannot be read is the worse for being nat."""
    if gap.id == "table-incompatible":
        return nat_unreadable if dict(gap.values)["table"] == "nat" else partial_dump
    return _NO_MISSING_LINES.get(gap.id, partial_dump)


def by_line(remarks: Iterable[Remark]) -> list[Remark]:
    """Return remarks by their lines; those of one line by their words."""
    return sorted(remarks, key=lambda remark: (remark.line, sentence(remark)))


def on_lines(dump: Dump) -> Iterator[Remark]:
    """Yield how many lines of the text were left out, and how many repaired, each with where."""
    for what, skipped in (("lines-left-out", True), ("lines-repaired", False)):
        notes = tuple(note for note in dump.line_notes if note.skipped is skipped)
        if notes:
            yield remark(what, notes=notes, total=dump.line_count)


def line_text(note: LineNote) -> str:
    """Return what was done with lines, and why: `skipped: shell prompt`."""
    return f"{'skipped' if note.skipped else 'repaired'}: {LINES[note.reason]}"


def _chains_undeclared(*, table: str, chain: str, count: int) -> str:
    names = and_more(chain, count - 1)
    return f"table {table} has rules of {names}, but no declaration: lines may be missing"


def _excerpt_text(
    *, undeclared: tuple[str, ...], parts: tuple[str, ...], unnamed: tuple[str, ...], missing: tuple[str, ...]
) -> str:
    """Say what is an excerpt, and what of the dump is not in it."""
    tables = dict.fromkeys((*undeclared, *parts))
    named = [f"table {table}" + (" (guessed from its rules)" if table in unnamed else "") for table in tables]
    without = [
        *(["some declarations"] if undeclared else []),
        *(["its built-in chains"] if parts else []),
        *(f"table {table}" for table in missing),
        "perhaps other lines",
    ]
    return f"an excerpt of {', '.join(named)}, without {', '.join(without)}"


def _lines_cut(*, count: int) -> str:
    rules = "a rule of a built-in chain ends" if count == 1 else f"{count:,} rules of built-in chains end"
    return f"{rules} within a word: lines may be cut at a column, and what they do is unknown"


def _table_incompatible(*, table: str) -> str:
    what = f"table {table}" if table else "a table"
    return f"{what} is not in the dump: iptables cannot print it; use nft list ruleset"


def _table_guessed(*, first: int, last: int, table: str) -> str:
    lines, verb = (f"lines {first} to {last}", "name") if last > first else (f"line {first}", "names")
    return f"{lines} {verb} no table: assumed {table} from the chains and targets"


def _nft_hides(*, count: int) -> str:
    rules = "1 rule" if count == 1 else f"{count:,} rules"
    return f"nft does not print all of {rules}: what is hidden (xt match, xt target) is unknown"


def _lines_left_out(*, notes: tuple[LineNote, ...], total: int) -> str:
    count = sum(note.size for note in notes)
    lines = "line that is" if total == 1 else "lines that are"
    return f"skipped {count:,} of {total:,} {lines} not iptables output ({_places(notes, count)})"


def _lines_repaired(*, notes: tuple[LineNote, ...], total: int) -> str:  # noqa: ARG001 - of what was left out alone
    count = sum(note.size for note in notes)
    reasons = ", ".join(LINES[reason] for reason in dict.fromkeys(note.reason for note in notes))
    return f"repaired {count:,} {'line' if count == 1 else 'lines'}: {reasons} ({_places(notes, count)})"


def _rules_repeated(*, lines: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, lines[:_MOST_PLACES])) + (", ..." if len(lines) > _MOST_PLACES else "")
    if len(lines) == 1:
        return f"the rule in line {shown} occurs again in the text: counted once"
    return f"{len(lines):,} rules occur again in the text: each counted once (lines {shown})"


def _made_from_commands(*, count: int) -> str:
    what = "1 iptables command" if count == 1 else f"{count:,} iptables commands"
    return f"built from {what}, each run once; the rules before them are unknown"


def _hidden(*, count: int) -> str:
    rules = "1 rule" if count == 1 else f"{count:,} rules"
    return f"nft only names matches or targets (xt) of {rules}: what they ask or do is in iptables-save alone"


def _places(notes: Sequence[LineNote], count: int) -> str:
    places = [note.places() for note in notes]
    shown = ", ".join([*places[:_MOST_PLACES], *(["..."] if len(places) > _MOST_PLACES else [])])
    return f"{'line' if count == 1 else 'lines'} {shown}"


REMARKS: dict[str, str | Callable[..., str]] = {
    "no-commit": "table {table} has no COMMIT: its end may be missing",
    "last-line-cut": "the last line has no end: the dump may be cut there",
    "table-incompatible": _table_incompatible,
    "base-chains-unseen": (
        "table {table} has native nft base chains that the dump does not show and that may drop packets: see "
        "nft list ruleset"
    ),
    "chains-undeclared": _chains_undeclared,
    "excerpt": _excerpt_text,
    "part-of-table": "table {table} has no built-in chain: it is incomplete",
    "lines-cut": _lines_cut,
    "policy-unread": "the policy of {table} {chain} is unreadable: assumed ACCEPT",
    "table-missing": "no table {table}, in which kube-proxy 1.2 and newer has rules",
    "damaged": "{reason}",
    "lines-grepped": "lines are missing: filtered by grep",
    "line-within-table": "a line within table {table} is not iptables output",
    "rules-unread": "a line with rules is unreadable: their effect is unknown",
    "row-unread": "a row of the listing is unreadable: its effect is unknown",
    "made-from-listing": "built from a listing (iptables -L), which does not show everything",
    "chains-unlisted": "table {table}: {chains} not listed: their rules are unknown",
    "nft-hides": _nft_hides,
    "interfaces-not-shown": "interfaces are not shown: a rule may apply to some only",
    "table-not-named": _table_guessed,
    "option-unknown": "not understood: unknown option {option}",
    "rule-unread": "not understood: {problem}",
    "diff-cut": "a diff shows only lines near changes: others are missing",
    "rules-repeated": _rules_repeated,
    "made-from-commands": _made_from_commands,
    "wide-characters": "the text is UTF-16 or UTF-32",
    "nul-bytes": "NUL bytes removed",
    "carriage-returns": "carriage returns removed",
    "colours": "colour codes removed",
    "html-tags": "HTML tags removed",
    "html-entities": "HTML entities decoded",
    "strings-unpacked": "text in JSON or YAML strings unpacked",
    "parts-joined": "partial lines of a container log joined",
    "objects-counted": "line numbers count the objects of the JSON, as jq -c '.nftables[]' prints them",
    "lines-unpacked": "line numbers are those of the unpacked text",
    "side-read": "this is a diff: using its {side} side (--side {other_side} for the other)",
    "grep-colours": "colour codes of grep removed",
    "nft-block-open": "the end of {kind} {name} is missing: the listing may be cut there",
    "nft-json-open": "the JSON of nft has no end: it may be cut there",
    "nft-no-elements": (
        "no set or map shows an element: nft --terse (-t) shows none, so what is in them is not known"
    ),
    "nft-tables-unlisted": "{command} lists a part: other tables and chains may drop or redirect connections",
    "nft-part-of-table": "table {table}: not all of its rules, sets and maps are listed, or it was flushed",
    "nft-lines-chosen": "{command} shows some lines: rules, elements and whole tables may be missing",
    "nft-hides-matches": _hidden,
    "lines-left-out": _lines_left_out,
    "lines-repaired": _lines_repaired,
}
"""Gaps of a dump, what is not understood in it, and what was done to its text, as a whole and to lines."""


LINES = {
    "grep-separator": "grep separator: lines are missing",
    "markdown-fence": "Markdown fence",
    "shell-prompt": "shell prompt",
    "html-tag": "HTML tag",
    "message": "message of a program",
    "command": "shell command",
    "listing-without-chain": "rows of iptables -L without the line `Chain NAME`: chain unknown",
    "chain-repeated": "chain repeated: counted once",
    "no-part": "not iptables output",
    "not-nft": "not nft output",
    "line-unended": "no end of line where the text breaks off: a part of it may be missing",
    "commit-outside": "COMMIT outside any table",
    "message-within": "removed a message of a program within the line",
    "joined": "joined a wrapped line",
    "taken-out-of-indentation": "stripped indentation",
    "taken-out-of-quoting": "stripped leading quote marks",
    "taken-out-of-a-prefix": "stripped a prefix",
    "carried-out-insert": "applied: inserts a rule above",
    "carried-out-delete": "applied: deletes a rule above",
    "carried-out-replace": "applied: replaces a rule above",
    "carried-out-flush": "applied: flushes a chain",
    "carried-out-remove": "applied: deletes a chain",
    "carried-out-rename": "applied: renames a chain",
    "carried-out-zero": "applied: zeroes counters",
    "carried-out-declared-again": "applied: a repeated declaration flushes its chain",
    "html-entities": "HTML entities decoded",
    "signs-odd": "replaced invisible characters or typographic dashes",
    "signs-invisible": "removed invisible characters",
    "dashes-typographic": "replaced typographic dashes",
    "quotes-typographic": "replaced typographic quotes",
    "quotes-escaped": "removed backslashes before quotes",
    "quotes-doubled": "replaced doubled quotes",
    "quotes-single": "replaced single quotes",
    "quotes-lost": "quoted an unquoted comment",
    "remark-cut": "removed a remark after the rule",
    "rule-repeated": "rule repeated: counted once",
    "diff-other-side": "other side of the diff",
    "diff-header": "diff header",
    "command-read": "read a command as the rule that it adds",
    "command-expanded": "command with a shell expansion",
    "changes-nothing": "changes a rule or chain that is not in the text",
}
"""Why lines were skipped or repaired."""


def _gaps_text(gaps: Sequence[Remark]) -> str:
    """Return the first few gaps in words; the line of the first stands before the sentence."""
    first, *others = gaps[:_MOST_GAPS]
    told = "; ".join([text(first), *map(sentence, others)])
    return and_more(told, len(gaps) - _MOST_GAPS)


@diagnosis("medium", reference="cloudnativelabs/kube-router#1588")
def partial_dump(*, gaps: tuple[Remark, ...]) -> str:
    """Lines of the dump seem to be missing.

    A table has no COMMIT, the last line has no end, chains have rules but no declaration, one of
    kube-proxy's tables is not there, grep filtered the text, or a terminal cut its lines.

    Why: Missing lines may decide. An absence proves nothing: every finding that something is missing holds
    only if the dump is complete.

    Do: Save the whole dump as root on the node (iptables-save -c > FILE) and use the file itself.
    """
    return _gaps_text(gaps)


@diagnosis("high", reference="ubicloud/ubicloud#2966")
def nat_unreadable(*, gaps: tuple[Remark, ...]) -> str:
    """The table nat holds native nft rules that iptables cannot show.

    iptables-save printed a warning in its place.

    Why: kube-proxy decides in nat where connections go. It cannot write there either, so it may have
    stopped syncing, and this dump does not show it.

    Do: Look at `nft list table ip nat`, and find out which program writes native rules there.
    """
    return _gaps_text(gaps)


@diagnosis("medium")
def lossy_listing(*, gaps: tuple[Remark, ...]) -> str:
    """The text is a listing (iptables -L, nft), not a dump.

    iptables -L abbreviates counters and leaves out details of rules; without -v it leaves out interfaces, too.
    nft has no words for some matches and targets of iptables, as JSON for most. Single chains that are listed
    leave out all others.

    Why: An answer may say too much: without -v a rule that holds for one interface looks as if it held for all,
    and of some options a listing shows a part.

    Do: Save a dump with iptables-save -c instead; it has everything, and is quicker to make.
    """
    return _gaps_text(gaps)


@diagnosis("low")
def table_guessed(*, gaps: tuple[Remark, ...]) -> str:
    """No line names the table of these rules; it was guessed from their chains and targets.

    Why: Rules assigned to the wrong table apply to other packets.

    Do: Save a dump with iptables-save, which names its tables, or add the line *nat or *filter above.
    """
    return _gaps_text(gaps)


_NO_MISSING_LINES = {
    "made-from-listing": lossy_listing,
    "interfaces-not-shown": lossy_listing,
    "nft-hides": lossy_listing,
    "chains-unlisted": lossy_listing,
    "table-not-named": table_guessed,
}
"""Gaps that are no missing lines."""
