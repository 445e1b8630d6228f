"""HTML is told by its rules; what iptables-save wrote may look like HTML in its comments, and stays."""

from __future__ import annotations

import pytest

from iptviz.checks.wording import sentences
from iptviz.dump.model import Dump
from tests.intake.texts import dump, rules

TAGS, ENTITIES = "HTML tags removed", "HTML entities decoded"
RULE = '-A A -m comment --comment "a -> b" -j B'

FORMS: dict[str, tuple[list[str], list[str]]] = {
    "entities": (["-A A -m comment --comment &quot;a -&gt; b&quot; -j B"], [ENTITIES]),
    "numbers": (["-A A -m comment --comment &#34;a&#32;-&#62; b&#x22; -j B"], [ENTITIES]),
    "attributes": (
        ['<pre class="x">', "-A A -m comment --comment &quot;a -&gt; b&quot; -j B", "</pre>"], [ENTITIES],
    ),
    "quotes as they are": (['<pre class="x">', '-A A -m comment --comment "a -&gt; b" -j B', "</pre>"], [ENTITIES]),
    "no-break blanks": (["<p>", "-A A -m&nbsp;comment --comment &quot;a -&gt; b&quot; -j&nbsp;B", "</p>"], [ENTITIES]),
    "highlighted": (
        ['<b class="nt">-A</b> A <b>-m</b> comment <b>--comment</b> <i class="s">&quot;a -&gt; b&quot;</i> <b>-j</b> B'],
        [TAGS, ENTITIES],
    ),
    "a cell of a page of code": (
        ['<td id="LC1" class="blob-code">-A A -m comment --comment <span class="pl-s">&quot;a -&gt; b&quot;</span> -j B</td>'],
        [TAGS, ENTITIES],
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_rule_in_html_is_read(form: str) -> None:
    lines, repairs = FORMS[form]
    read = dump(*lines)
    place = next(at for at, line in enumerate(lines, 1) if "comment" in line)
    assert rules(read) == {"filter": [(place, RULE)]}
    assert sentences(read.repairs) == repairs


def test_rules_parted_by_tags_stand_on_lines_of_their_own() -> None:
    read = dump("<p>-A A -j B<br>-A A -j C<br/>", "-A A -j D</p>")
    assert rules(read) == {"filter": [(1, "-A A -j B"), (2, "-A A -j C"), (3, "-A A -j D")]}
    assert sentences(read.repairs) == [TAGS, "line numbers are those of the unpacked text"]


@pytest.mark.parametrize("comment", ["a &quot; b", "x --comment &quot;y", "<br>-A X", "&amp;lt;", "-A <b>X"])
@pytest.mark.parametrize("above", [[], ["$ iptables-save"], ["> quoted:"], ["<details>", "```"]])
def test_a_comment_of_a_dump_stays(above: list[str], comment: str) -> None:
    rule = f'-A A -m comment --comment "{comment}" -j B'
    lines = [*above, "*nat", ":A - [0:0]", rule, "COMMIT"]
    read = Dump("".join(f"{line}\n" for line in lines).encode())
    assert rules(read) == {"nat": [(len(above) + 3, rule)]}
    assert read.repairs == ()
