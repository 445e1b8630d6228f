"""The first lines of a trace: what fails on top, clients with one answer on one line, by rule, policy or routing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.engine.chance import NEVER
from iptviz.paths.model import Decider, EndpointRow
from iptviz.view.blocks import Facts, Heading
from iptviz.view.fates import Ways
from iptviz.view.registry import view_of
from iptviz.view.ways import other_facts, usual_facts, way_lines
from tests.kubeproxy import numbered, saved
from tests.view import made_paths as made
from tests.view.made_paths import HALF, KINDS, QUARTER, WHOLE, entry, four, paths, rest, row, when

if TYPE_CHECKING:
    from iptviz.paths.model import FrontendPaths
    from iptviz.view.blocks import Fact
    from iptviz.view.nodes import Mood

EACH = "4 endpoints, 25.00 % each"
RULE_7 = "REJECT by filter KUBE-POD-FW-7 rule 3 (line 67: -A KUBE-POD-FW-7 -j REJECT)"
RULE_2 = "filter FORWARD rule 2 (line 31: -A FORWARD -d 10.244.0.0/16 -j DROP)"

MASQUERADES = Decider("nat", "KUBE-POSTROUTING", 3, 72, "-A KUBE-POSTROUTING -j MASQUERADE")
FOREIGN = Decider("nat", "POSTROUTING", 2, 69, "-A POSTROUTING -s 10.244.0.0/16 -j MASQUERADE")
# name -> ways, the lines: word, text, mood
LINES: dict[str, tuple[FrontendPaths, list[tuple[str, str, Mood]]]] = {
    "all are reached": (
        made.REACHED,
        [
            ("reached", f"outside, pod, node: {EACH}", "good"),
            ("SNAT", "outside, node: MASQUERADE; pod: client IP preserved", ""),
        ],
    ),
    "a policy drops pods": (
        made.POD_DROPPED,
        [
            ("NOT REACHED", "pod: DROP by the policy of filter FORWARD (line 5)", "bad"),
            ("reached", f"outside, node: {EACH}", "good"),
            ("SNAT", "outside, node: MASQUERADE", ""),
        ],
    ),
    "one of two endpoints refuses": (
        made.IN_PART,
        [
            ("FAILS 50.00 %", f"outside, pod, node: 10.244.1.17:80: {RULE_7}", "bad"),
            ("reached 50.00 %", "outside, pod, node: 10.244.1.18:80", "good"),
            ("SNAT", "outside, pod, node: MASQUERADE", ""),
        ],
    ),
    "nat is left before": (
        made.NOT_REWRITTEN,
        [
            (
                "NOT DNATed",
                ("outside: goes on to 10.97.13.198:79 unchanged; "
                "nat PREROUTING rule 1 (line 12: -A PREROUTING -j ACCEPT) comes first"),
                "bad",
            ),
            ("reached", f"pod, node: {EACH}", "good"),
            ("SNAT", "pod, node: client IP preserved", ""),
        ],
    ),
    "the answer is dropped": (
        made.ANSWER,
        [
            ("ANSWER DROPPED", f"pod: by {RULE_2}", "bad"),
            ("reached", f"outside, node: {EACH}", "good"),
            ("SNAT", "outside, node: MASQUERADE; pod: client IP preserved", ""),
        ],
    ),
    "a question about the endpoint": (
        made.LOCAL_ENDPOINT,
        [
            (
                "depends",
                ("outside, pod: 192.0.2.10:80: DROP by the policy of filter INPUT (line 4) "
                "when 192.0.2.10 is an address of this node; otherwise reached"),
                "",
            ),
            ("reached", "node: 192.0.2.10:80", "good"),
            ("SNAT", "outside, pod: MASQUERADE", ""),
            ("SNAT", "node: client IP preserved", ""),
        ],
    ),
    "a question about the client": (
        made.BY_SOURCE,
        [
            ("NOT REACHED", f"outside when source in 10.0.0.0/8: DROP by {RULE_2}", "bad"),
            ("reached", f"pod, node, and outside when source not in 10.0.0.0/8: {EACH}", "good"),
            ("SNAT", "outside, pod, node: client IP preserved", ""),
        ],
    ),
    "a cache on the node": (
        made.CACHED,
        [
            (
                "this node",
                "pod, node: delivered to this node at 10.97.13.198:79 (not tracked: skips nat)",
                "",
            ),
            ("reached", f"outside: {EACH}", "good"),
            ("SNAT", "outside: MASQUERADE", ""),
        ],
    ),
    "sources that others rewrite": (
        paths(
            entry(("outside",), row("10.244.1.17", WHOLE, snat="MASQUERADE")._replace(snat_by=MASQUERADES)),
            entry(("pod",), row("10.244.1.17", WHOLE, snat="MASQUERADE")._replace(snat_by=FOREIGN)),
            entry(
                ("node",),
                row("10.244.1.17", WHOLE, snat="MASQUERADE")._replace(snat_by=FOREIGN._replace(others=1)),
            ),
        ),
        [
            ("reached", "outside, pod, node: 10.244.1.17:80", "good"),
            (
                "SNAT",
                (
                    "outside: MASQUERADE; pod: MASQUERADE by nat POSTROUTING rule 2 (line 69); node: MASQUERADE by "
                    "nat POSTROUTING rule 2 (line 69) or 1 other rule"
                ),
                "",
            ),
        ],
    ),
    "no endpoints": (
        made.REFUSED,
        [
            (
                "NOT REACHED",
                ("outside, pod, node: REJECT by filter KUBE-SERVICES rule 1 (line 88: -A KUBE-SERVICES "
                '-d 10.97.13.198/32 -m comment --comment "shop/web has no endpoints" -j REJECT)'),
                "bad",
            )
        ],
    ),
    "an uneven share is nothing good": (
        paths(entry(KINDS, row("10.244.1.17", QUARTER), row("10.244.1.18", 1 - QUARTER))),
        [
            ("reached", "outside, pod, node: 2 endpoints, UNEVEN: 25.00 % to 75.00 %", "bad"),
            ("SNAT", "outside, pod, node: client IP preserved", ""),
        ],
    ),
    "two that refuse, and nothing is left": (
        paths(
            entry(
                ("pod",),
                row("10.244.1.17", HALF, "REJECT", made.pod_rule(7)),
                row("10.244.1.18", HALF, "DROP", Decider("", "", None, None, "no route")),
            )
        ),
        [
            ("NOT REACHED", f"pod: 50.00 %: 10.244.1.17:80: {RULE_7}", "bad"),
            ("NOT REACHED", "pod: 50.00 %: 10.244.1.18:80: DROP by routing (no route)", "bad"),
        ],
    ),
    "many rules that decide alike are one line": (
        paths(
            entry(
                ("pod",),
                *(row(f"10.244.1.{n}", QUARTER / 2, "REJECT", made.pod_rule(n, 1)) for n in range(7, 11)),
                row("10.244.2.20", HALF),
            )
        ),
        [
            (
                "FAILS 50.00 %",
                f"pod: 4 endpoints, 12.50 % each: {RULE_7} and 7 other rules",
                "bad",
            ),
            ("reached 50.00 %", "pod: 10.244.2.20:80", "good"),
            ("SNAT", "pod: client IP preserved", ""),
        ],
    ),
    "a program decides": (
        paths(entry(("pod",), *four(by=Decider("filter", "FORWARD", 1, 9, "-A FORWARD -j NFQUEUE"), outcome="QUEUE"))),
        [("QUEUED", "pod: by filter FORWARD rule 1 (line 9: -A FORWARD -j NFQUEUE)", "")],
    ),
    "an endpoint that fails whatever holds": (
        paths(
            entry(
                ("pod",),
                row("10.244.1.17", WHOLE, "DROP", made.DROP_RULE, when("local", "10.244.1.17")),
                row("10.244.1.17", WHOLE, "DROP", made.DROP_RULE, when("local", "10.244.1.17", holds=False)),
            )
        ),
        [("NOT REACHED", f"pod: DROP by {RULE_2}", "bad")],
    ),
    "an answer that depends": (
        paths(
            entry(
                ("pod",),
                row("10.244.1.17", WHOLE, conditions=when("local", "10.244.1.17"))._replace(
                    reply="DROP", reply_by=made.DROP_RULE
                ),
                row("10.244.1.17", WHOLE, conditions=when("local", "10.244.1.17", holds=False)),
            )
        ),
        [
            (
                "depends",
                (f"pod: 10.244.1.17:80: answer dropped by {RULE_2} when 10.244.1.17 is an address of this node; "
                "otherwise reached"),
                "",
            ),
            ("SNAT", "pod: client IP preserved", ""),
        ],
    ),
    "what would take many conditions is what the others leave": (
        paths(
            entry(("pod",), *four(by=made.DROP_RULE, outcome="DROP"), conditions=when("source-cidr", "10.0.0.0/8")),
            *(
                entry(("pod",), *four(), conditions=when("length", str(port)))
                for port in range(2)
            ),
        ),
        [
            ("NOT REACHED", f"pod when source in 10.0.0.0/8: DROP by {RULE_2}", "bad"),
            ("reached", f"pod otherwise: {EACH}", "good"),
            ("SNAT", "pod: client IP preserved", ""),
        ],
    ),
    "of many cases some are told": (
        paths(
            *(
                entry(("pod",), *four(by=made.DROP_RULE, outcome="DROP"), conditions=when("length", str(port)))
                for port in range(10)
            ),
            entry(("pod",), *four(), conditions=when("length", "10")),
        ),
        [
            (
                "NOT REACHED",
                ("pod when length is 0 or when length is 1 or when length is 2 or in 7 more cases (see --json): "
                f"DROP by {RULE_2}"),
                "bad",
            ),
            ("reached", f"pod when length is 10: {EACH}", "good"),
            ("SNAT", "pod: client IP preserved", ""),
        ],
    ),
    "the same said of other endpoints": (
        paths(
            entry(("outside",), row("10.244.1.17", HALF), row("10.244.1.18", HALF)),
            entry(("pod",), row("10.244.2.20", HALF), row("10.244.2.21", HALF)),
        ),
        [
            ("reached", "outside: 2 endpoints, 50.00 % each (10.244.1.17:80, 10.244.1.18:80)", "good"),
            ("reached", "pod: 2 endpoints, 50.00 % each (10.244.2.20:80, 10.244.2.21:80)", "good"),
            ("SNAT", "outside, pod: client IP preserved", ""),
        ],
    ),
    "sources that differ by condition": (
        paths(
            entry(
                ("pod",),
                row("10.244.1.17", WHOLE, conditions=when("out-interface", "eth0"), snat="192.0.2.1"),
                row("10.244.1.17", WHOLE, conditions=when("out-interface", "eth0", holds=False)),
            )
        ),
        [
            ("reached", "pod: 10.244.1.17:80", "good"),
            ("SNAT", "pod: 192.0.2.1 when output interface is eth0, otherwise client IP preserved", ""),
        ],
    ),
    "sources that differ by endpoint": (
        paths(entry(("pod",), row("10.244.1.17", HALF, snat="MASQUERADE"), row("10.244.1.18", HALF))),
        [
            ("reached", "pod: 2 endpoints, 50.00 % each", "good"),
            ("SNAT", "pod: MASQUERADE for 10.244.1.17:80, and client IP preserved for 10.244.1.18:80", ""),
        ],
    ),
    "an address that was asked for": (
        paths(entry(("10.9.9.9",), *four()), left_open=True),
        [
            ("reached", f"10.9.9.9: {EACH}", "good"),
            ("SNAT", "10.9.9.9: client IP preserved", ""),
            ("Left open", "too many cases: conditions left open", ""),
        ],
    ),
}  # fmt: skip


def facts_in(ways: Ways) -> list[Fact]:
    return [*usual_facts(ways), *other_facts(ways)]


@pytest.mark.parametrize("name", LINES)
def test_the_first_lines_say(name: str) -> None:
    ways, expected = LINES[name]
    assert [(fact.label, fact.text, fact.mood) for fact in facts_in(Ways(ways))] == expected


def test_what_kube_proxy_does_not_choose_is_redirected() -> None:
    ways = paths(entry(("outside",), row("10.244.9.9", WHOLE)), entry(("pod", "node"), *four()))
    facts = facts_of(ways)
    foreign = "outside: 10.244.9.9:80, no endpoint of this service"
    assert facts[0] == ("REDIRECTED", foreign, "bad")
    assert facts[1] == ("reached", f"pod, node: {EACH}", "good")
    assert "Verdict" not in [label for label, *_ in facts]


def test_an_assumption_that_is_not_the_usual_one_is_told() -> None:
    ways = paths(entry(KINDS, *four()))._replace(
        assumed=(*when("mark", "0x0"), *when("unseen-tables", "raw, nat"))
    )
    told = [(fact.label, fact.text) for fact in facts_in(Ways(ways))]
    assert told[-1] == ("Assumed", "tables not in the dump (raw, nat) have no effect")


def test_what_is_no_connection_is_not_told() -> None:
    ways = paths(entry(KINDS, *four(), rest("ACCEPT", share=NEVER), row("10.244.9.9", NEVER, "DROP")))
    assert [line.word for line in way_lines(Ways(ways))] == ["reached"]


def test_names_of_a_dump_are_printable_in_every_line() -> None:
    harm = "\x1b[31mX\u202e"
    by = Decider("filter", harm, 1, 2, f"-A {harm} -j DROP")
    conditions = when("in-interface", harm)
    ways = paths(
        entry(("pod",), EndpointRow(harm, None, HALF, (), "DROP", by), row("10.0.0.1", HALF, snat=harm)),
        entry(
            ("outside",),
            rest("ACCEPT", by._replace(table="nat"), conditions=conditions),
            conditions=conditions,
        ),
        entry((harm,), row("10.0.0.1", WHOLE, "DROP", by, conditions), row("10.0.0.1", WHOLE)),
    )
    for fact in facts_in(Ways(ways)):
        assert fact.text.isprintable()


# --- the whole view -------------------------------------------------------------------------------------------


def facts_of(*ways: FrontendPaths, target: str = "10.97.13.198") -> list[tuple[str, str, Mood]]:
    view = view_of(made.traced(*ways, target=target), fold=True)
    return [(fact.label, fact.text, fact.mood) for block in view.of(Facts) for fact in block.facts]


def test_no_verdict_stands_over_what_fails() -> None:
    facts = facts_of(made.POD_DROPPED)
    assert facts[0][0] == "NOT REACHED"
    assert "Verdict" not in [label for label, *_ in facts]


@pytest.mark.parametrize(
    ("rules", "named"),
    [("", False), ("-A FORWARD -i cni0 -j ACCEPT\n", True), (":FLANNEL-FWD - [0:0]\n", True)],
)
def test_where_pods_hang_on_a_bridge_its_setting_is_named(rules: str, named: bool) -> None:
    text = saved(numbered(1, 1)).replace("-A FORWARD", f"{rules}-A FORWARD", 1)
    view = view_of(iptviz.trace(iptviz.load(text.encode()), "10.96.1.0"), fold=True)
    (unseen,) = [fact.text for block in view.of(Facts) for fact in block.facts if fact.label == "Not visible"]
    assert ("net.bridge.bridge-nf-call-iptables (pods on one bridge)" in unseen) == named


def test_what_all_reach_needs_no_verdict() -> None:
    assert [label for label, *_ in facts_of(made.REACHED)] == ["reached", "SNAT", "Also at", "Not visible"]


def test_what_no_dump_shows_is_named_only_where_something_is_reached() -> None:
    unseen = "net.ipv4.ip_forward, net.ipv4.conf.*.rp_filter, routes, endpoint health"
    assert ("Not visible", unseen, "") in facts_of(made.REACHED)
    assert "Not visible" not in [label for label, *_ in facts_of(made.REFUSED)]


def test_frontends_with_one_answer_stand_together_once() -> None:
    view = view_of(made.traced(made.REACHED, made.REACHED, target="default/httpd-service"), fold=True)
    assert [heading.at for heading in view.of(Heading)] == [
        "cluster IP 10.97.13.198:79/tcp, node port :32123/tcp",
        "cluster IP 10.97.13.198:79/tcp",
        "node port :32123/tcp",
    ]
    facts = facts_of(made.REACHED, made.REACHED, target="default/httpd-service")
    assert [label for label, *_ in facts] == ["reached", "SNAT", "Not visible"]


def test_frontends_with_two_answers_stand_apart() -> None:
    view = view_of(made.traced(made.REACHED, made.POD_DROPPED, target="default/httpd-service"), fold=True)
    assert [heading.at for heading in view.of(Heading)] == [
        "cluster IP 10.97.13.198:79/tcp, node port :32123/tcp",
        "cluster IP 10.97.13.198:79/tcp",
        "node port :32123/tcp",
    ]


def test_without_ways_nothing_is_said_of_them() -> None:
    view = view_of(made.traced(made.REACHED)._replace(paths=()), fold=True)
    labels = [fact.label for block in view.of(Facts) for fact in block.facts]
    assert labels == ["Verdict", "SNAT", "Also at"]
