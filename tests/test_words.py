"""How the program speaks: what a user reads has the field's words, plurals that agree, and no riddles."""

from __future__ import annotations

import ast
import re
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from iptviz.checks.finding import Finding
from iptviz.checks.wording import noted, sentence
from iptviz.cli.app import app_command
from iptviz.cli.commands import COMMANDS
from iptviz.intake.remark import remark
from iptviz.view.text import note_line
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = ROOT / "iptviz"
MODULES = sorted(PACKAGE.rglob("*.py"))
PAGES = (*sorted((PACKAGE / "render" / "page").glob("*.j*")), ROOT / "man" / "iptviz.1")
READ = (ROOT / "README.md", ROOT / "docs/reference.md", ROOT / "CHANGELOG.md")

SHOWN_DOCSTRINGS = {"diagnosis", "question", "command"}
"""Decorators of functions whose docstrings `explain`, the help and the manual show."""


class Text(NamedTuple):
    """A text that a user may read, with braces for what is filled in, and where it stands."""

    where: str
    text: str


class _Reader(ast.NodeVisitor):
    """Gathers the texts of a module: its strings that are no docstrings, and the docstrings that are shown."""

    def __init__(self) -> None:
        self.found: list[tuple[int, str]] = []
        self.uncounted: list[tuple[int, str]] = []
        self._chosen = 0

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        calls = (one.func for one in node.decorator_list if isinstance(one, ast.Call))
        if any(isinstance(call, ast.Name) and call.id in SHOWN_DOCSTRINGS for call in calls):
            self.found.append((node.lineno, ast.get_docstring(node) or ""))
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._chosen += 1
        self.generic_visit(node)
        self._chosen -= 1

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
        text = "".join(map(str, parts))
        self.found.append((node.lineno, text))
        for part, after in pairwise(node.values):
            if (
                not self._chosen
                and isinstance(after, ast.Constant)
                and _is_count(part)
                and _PLURAL.match(str(after.value))
            ):
                self.uncounted.append((node.lineno, text))
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.visit(part.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.found.append((node.lineno, node.value))


_PLURAL = re.compile(r" (?:more |other |new )?(?!is\b|was\b|has\b|does\b|less\b)[a-z]+s\b")


def _is_count(part: ast.expr) -> bool:
    """Whether what is filled in is a number: with separators of thousands, as counts are printed, or a length."""
    if not isinstance(part, ast.FormattedValue):
        return False
    spec = part.format_spec.values if isinstance(part.format_spec, ast.JoinedStr) else []
    if [one.value for one in spec if isinstance(one, ast.Constant)] == [","]:
        return True
    called = part.value.func if isinstance(part.value, ast.Call) else None
    return isinstance(called, ast.Name) and called.id == "len"


@cache
def readers() -> dict[str, _Reader]:
    """What each module has for users."""
    found = {str(path.relative_to(ROOT)): _Reader() for path in MODULES}
    for name, reader in found.items():
        reader.visit(ast.parse((ROOT / name).read_text(encoding="utf-8")))
    return found


@cache
def texts() -> tuple[Text, ...]:
    """All that a user may read, each run of blanks as one."""
    of_code = (
        Text(f"{name}:{line}", text)
        for name, reader in readers().items()
        for line, text in reader.found
        if " " in text
    )
    of_files = (
        Text(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in (*PAGES, *READ)
    )
    return tuple(Text(where, " ".join(text.split())) for where, text in (*of_code, *of_files))


def where_found(pattern: str, *, changes: bool) -> list[Text]:
    """The texts in which something stands; `changes`: also in README and CHANGELOG."""
    return [
        text
        for text in texts()
        if (changes or not text.where.endswith(".md")) and re.search(pattern, text.text)
    ]


# --- what was written once, and what stands in its place ---------------------------------------------------------

REPLACED = {
    "names no service of this dump": 'no service matches "httpd" in this dump',
    "names no service, endpoint or chain": "invalid TARGET",
    ": is empty": "file is empty",
    "holds no dump": "no iptables rules found",
    "is nft's own ruleset": 'this is "nft list ruleset" output, which only iptviz packet reads',
    "is no JSON": 'cannot parse "ip addr" output',
    "is no YAML": "not Kubernetes JSON/YAML",
    "where an object is expected": "not Kubernetes JSON/YAML",
    "there is no format": 'unknown format "yaml"',
    "no format has this suffix": 'unknown file extension ".foo"; pass -f',
    "is no mark": 'invalid mark "zzz"',
    "is no size": 'invalid size "foo"',
    "is no endpoint": 'invalid endpoint "foo"',
    "is no address": 'invalid address "foo"',
    "is nothing for a terminal": "refusing to write PNG to a terminal; use -o out.png",
    "no condition reads": 'unknown condition "foo bar"; copy one from the answer',
    "what arrives has no owner": "--uid/--gid only apply to locally generated packets (--hook output)",
    "not part of a dump": "skipped 1 of 641 lines that are not iptables output (line 1)",
    "-v tells why": "-v for details",
    "taken out of what stands before it": "stripped leading quote marks",
    "joined to the rule above": "joined a wrapped line",
    "what is left is answered from": "drop --strict to analyse the remaining lines anyway",
    "nothing tells which one is meant": "contains 2 dumps; pick one with --dump N",
    "even to 1 in": "even",
    "which gets every connection": "1 endpoint (100 %)",
    " % left": "p=0.50000 of remaining 66.67 %",
    "all of the last": "rest (33.33 %)",
    "an endpoint that reaches itself is masqueraded": "only a missing masquerade rule is named",
    "endpoints see the client's address": "client IP preserved",
    "masquerade always": "SNAT always",
    "for masquerading, whether": "SNAT depends on: source in 10.244.0.0/16?",
    "nothing outside this dump": "no line",
    "is an address of this node and": "source is local to this node",
    "destination unchanged": "not DNATed",
    "the address that DNAT chose": "DNAT target is local to this node",
    "asked by PREROUTING": "WARNING line 65: ACCEPT in nat PREROUTING runs before KUBE-SERVICES",
    "not to be compared": "cannot compare",
    "what leads there": "its callers",
    "too few to tell": "too few connections for a test (need 21)",
    "by more than chance": "deviates significantly from the expected shares",
    "written by kube-proxy 1": "kube-proxy 1.27 or newer (evidence: line 79 ...)",
    "0+?": "unknown (dump incomplete)",
    "% not in this dump": "unknown (dump incomplete)",
    " here)": "3 (1 local)",
    "admits {}": "loadBalancerSourceRanges: 198.51.100.0/24",
    "external Local": "eTP=Local",
    "combinations of conditions were left out": "785 more cases not shown",
    "taken as empty": "no mangle table in the dump; assumed empty",
    "off a wire": "--mark 0 (fits almost all packets arriving from the network)",
    "that of the interface it leaves by": "MASQUERADE (SNAT to outgoing interface's IP)",
    "the ways of the last": "3 more paths not shown (--all)",
    "as above, up to": "same first 11 steps as above (through nat KUBE-SERVICES, line 314)",
    "told above": "(see above)",
    "and they lead nowhere": "unreferenced empty chains: filter IDLE",
    "Looking odd": "Suspicious services: 1",
    "No service looks odd": "No problem found in what was checked",
    "What was asked for": "Requested services",
    "In no dump": "Not visible in an iptables dump",
    "under the mouse": "hover to see the rule",
    "How to answer": "Output format: ...",
    "Say in what the dump differs": "Compare the dump with the cluster's Services and EndpointSlices.",
    "Answer in pseudonyms": "Redact names and addresses in the output (see iptviz redact).",
    "Keep the key": "Store the redaction key and mapping in FILE",
    "what became what": "the mapping",
    "Show what becomes of": "Simulate one packet through raw, mangle, nat, filter and security.",
    "Fold nothing": "Show everything.",
    "Do not fold": "Show everything.",
    "So many jumps": "Number of jumps to follow from CHAIN.",
    "for policies Local": "Node name; needed for internal/externalTrafficPolicy: Local.",
    "ports that others publish": "Include ports published by CNI hostPort or Docker.",
    "where it would be 1": "Always exit 0 unless the input is unusable.",
    "Multiplied out they are fair": "iptviz multiplies the cascade out",
    "Whatever people send": "The format is detected from the content, not the file name.",
    "The obvious one is taken": "If one dump is clearly the main one it is used",
    "hang on a random key": "Pseudonyms are derived from a random key.",
    "hangs on": "depends on",
    "`ls iptviz` shows": "The package layout follows the data flow.",
    "who refuses it": "which rule rejects or drops it",
    "chains told": "reports loops and missing chains",
    "less than a tenth of the time": "trace on a 320,000-rule dump: 0.4 s, 108 MB",
}  # fmt: skip


def test_what_was_mended_is_not_written_again() -> None:
    whole = "\n".join(text.text for text in texts())
    again = [phrase for phrase in REPLACED if phrase in whole]
    assert {
        phrase: (REPLACED[phrase], where_found(re.escape(phrase), changes=True)) for phrase in again
    } == {}


# --- what nobody in the field says -------------------------------------------------------------------------------

BANNED = {
    r"\bis no (?!longer\b|iptables\b)\w": "say `invalid ...` or `not a ...`",
    r"\bare no (?!longer\b)\w": "say `not ...`, or `no ...` before the noun",
    r"\bnothing for\b": "name what is missing",
    r"\bwhat (be)?comes of\b": "say what happens, or where connections go",
    r"\btold\b": "say `shown`, `named` or `see`",
    r"\bto judge by\b": "say `guessed from`",
    r"\b(is|are|be) taken (to|for|as)\b": "say `assumed`",
    r"\btaken (to|for) be\b": "say `assumed`",
    r"\bhangs? on\b": "say `depends on`",
    r"\b(holds|holding) no\b": "say `contains no` or `no ... found`",
    r"\bgive what\b": "say `pass the output of`",
    r"\bchoose one\b": "say `pick one`",
    r"\bsays? of\b": "say `about`",
    r"\ball there is\b": "name it",
    r"\bof no account\b": "say `ignored`",
    r"\bis asked (by|before|when|for)\b": "a rule runs, or is evaluated",
    r"\blacks lines\b": "say `is incomplete`",
    r"\bwho knows\b|\bwhoever\b": "name them",
    r"\((?:s|es)\)": "write the plural that agrees",
}  # fmt: skip


def test_nobody_has_to_guess_what_is_meant() -> None:
    whole = "\n".join(text.text for text in texts() if not text.where.endswith(".md"))
    found = [pattern for pattern in BANNED if re.search(pattern, whole)]
    assert {pattern: (BANNED[pattern], where_found(pattern, changes=False)) for pattern in found} == {}


def test_a_rule_of_words_would_be_missed() -> None:
    reader = _Reader()
    reader.visit(
        ast.parse('"""is no docstring"""\nraise E(f"{x!r} is no mark", f"{n:,} rules", f"{n:,} more")')
    )
    assert [text for _, text in reader.found] == ["{} is no mark", "{} rules", "{} more"]
    assert [text for _, text in reader.uncounted] == ["{} rules"]


# --- plurals -----------------------------------------------------------------------------------------------------

ALWAYS_SEVERAL = {
    "Of {} rules in this listing, the page shows {}.",
    "{} rules occur again in the text: each counted once (lines {})",
    "jumps to {} chains that their tables do not have ({}): cut or edited?",
    "the chains of {} endpoints do",
    "none of {} endpoints is in it, not even those of {}",
    "a line of {} characters",
    "contains dumps of {} nodes: {}{}",
    "{} files cannot be read (first: {})",
    "{}{} in {} dumps ({})",
    "{} rules of {} {}",
    "{} in all {} cases",
}
"""Texts with counts that are never 1."""


def test_what_is_counted_agrees() -> None:
    found = {f"{name}:{line}": text for name, one in readers().items() for line, text in one.uncounted}
    assert {where: text for where, text in found.items() if text not in ALWAYS_SEVERAL} == {}


# --- help --------------------------------------------------------------------------------------------------------

_NO_BEGINNING = {
    "A",
    "An",
    "The",
    "So",
    "This",
    "That",
    "What",
    "Which",
    "Who",
    "By",
    "Of",
    "Its",
    "With",
    "Without",
    "These",
}
"""Words with which no help begins: it is an imperative, or names the thing."""


def helps() -> Iterator[tuple[str, str]]:
    """Yield what the help says of each command and of each of its options and arguments."""
    for name in COMMANDS:
        command = app_command(name)
        yield f"iptviz {name}", command.help or ""
        for param in command.params:
            yield f"iptviz {name} {param.opts[-1]}", getattr(param, "help", None) or ""


def test_help_is_an_imperative_or_names_the_thing_and_ends_with_a_point() -> None:
    for where, said in helps():
        first, *_ = said.split() or [""]
        assert first, f"{where} has no help"
        assert first not in _NO_BEGINNING, f"{where}: {said}"
        assert said.rstrip().endswith((".", "]", "...")), f"{where}: {said}"
        assert first[0].isupper() or not first[0].isalpha() or first == "prerouting", f"{where}: {said}"


# --- warnings ----------------------------------------------------------------------------------------------------


def test_a_warning_begins_with_its_word_and_the_line() -> None:
    found = Finding(
        "service-chain-empty",
        "high",
        "certain",
        (),
        None,
        (("chain", "A"), ("of", ""), ("alike", 0)),
        line=65,
    )
    assert noted(found) == "WARNING line 65: leads to A, which has no rules"
    assert note_line(noted(found)) == noted(found)
    assert noted(found._replace(severity="medium")) == sentence(found)
    note = noted(remark("nul-bytes"))
    assert note_line(note) == f"note: {sentence(remark('nul-bytes'))}"
