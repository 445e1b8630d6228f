"""Rules taken apart: every word has its owner, and what is unknown or malformed is kept and named."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iptviz.grammar.parts import RuleParts
from iptviz.grammar.reader import take_apart
from iptviz.xtables.option import Option


def written(parts: RuleParts) -> str:
    """Write the parts that are known as iptables-save would, with `??` before what is unknown."""
    texts = [*(option.text() for option in parts.basics), *(match.text() for match in parts.matches)]
    if parts.target:
        options = (option.text() for option in parts.target.options)
        texts.append(" ".join(("-g" if parts.target.goto else "-j", parts.target.name, *options)))
    return " ".join([*texts, *(f"?? {unknown.option.text()}" for unknown in parts.unknown)])


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "-s 10.0.0.0/8 -d 10.96.0.1/32 -p tcp -i eth0 -o cni0 -j ACCEPT",
        "! -s 10.0.0.0/8 ! -p tcp ! -i eth0 -j DROP",
        "-4 -6 -f -j ACCEPT",
        "-p tcp -m tcp --dport 80 -j KUBE-SVC-X",
        "-p tcp -m tcp ! --dport 80 --tcp-flags FIN,SYN,RST,ACK SYN -j RETURN",
        "-m set --match-set KUBE-CLUSTER-IP dst,dst -m set ! --match-set OTHER src -j A",
        "-m comment --comment one -m comment --comment two -j A",
        "-m mark --mark 0x1 -m connmark --mark 0x2 -j MARK --set-xmark 0x4000/0x4000",
        "-m recent --set --name SEP --mask 255.255.255.255 --rsource -m set --match-set S src -j A",
        "-p tcp -j DNAT --to-destination 10.0.0.1:80 --random --persistent",
        "-g KUBE-MARK-DROP",
        "-m statistic --mode random ! --probability 0.25000000000 -g A",
        '-m comment --comment "it\\\'s \\"quoted\\" \\\\ here" -j LOG --log-prefix "two words: "',
        "-m u32 --u32 0x0=0x0&&0x4=0x1:0x2 -j SET --add-set bad src --exist",
    ],
)
def test_what_iptables_save_prints_is_read_and_written_the_same(rule: str) -> None:
    parts = take_apart(f"-A CHAIN {rule}")
    assert written(parts) == rule
    assert (parts.chain, parts.unknown, parts.problem) == ("CHAIN", (), "")


@pytest.mark.parametrize(
    ("rule", "meaning"),
    [
        ("--jump ACCEPT --source 10.0.0.1", "-s 10.0.0.1 -j ACCEPT"),
        ("-p tcp --dst 10.0.0.1 --goto A", "-p tcp -d 10.0.0.1 -g A"),
        ("-j ACCEPT -s 10.0.0.1", "-s 10.0.0.1 -j ACCEPT"),
        ("-o eth0 -p udp -s 1.1.1.1", "-o eth0 -p udp -s 1.1.1.1"),
        ("-s ! 10.0.0.0/8 -j A", "! -s 10.0.0.0/8 -j A"),
        ("-p ! tcp -j A", "! -p tcp -j A"),
        ("-p tcp -m tcp --dport ! 80 -j A", "-p tcp -m tcp ! --dport 80 -j A"),
        ("-m set ! --match-set S src,dst -j A", "-m set ! --match-set S src,dst -j A"),
        ("-p tcp --dport 80 -j A", "-p tcp -m tcp --dport 80 -j A"),
        ("-p udp ! --destination-port 53 -j A", "-p udp -m udp ! --dport 53 -j A"),
        ("-p 6 --source-port 1 --dport 2 -j A", "-p 6 -m tcp --sport 1 --dport 2 -j A"),
        ("-p TCP --dport 80 -j A", "-p TCP -m tcp --dport 80 -j A"),
        ("-p ipv6-icmp --icmpv6-type 1 -j A", "-p ipv6-icmp -m icmp6 --icmpv6-type 1 -j A"),
        ("--match tcp -p tcp --dport 80 -j A", "-p tcp -m tcp --dport 80 -j A"),
        ("-j LOG -m tcp --dport 80 --log-level 4", "-m tcp --dport 80 -j LOG --log-level 4"),
        ("-m set --set OLD src -m recent --set -j A", "-m set --match-set OLD src -m recent --set -j A"),
        ("-m recent --rcheck -m ttl --ttl 3 -j A", "-m recent --rcheck -m ttl --ttl-eq 3 -j A"),
        ("-m policy --dir in --pol ipsec --proto esp", "-m policy --dir in --pol ipsec --proto esp"),
        ("-m rateest --rateest-bps --rateest-lt -j A", "-m rateest --rateest-bps --rateest-lt -j A"),
        ("-m rateest --rateest x --rateest-bps 8 -j A", "-m rateest --rateest x --rateest-bps 8 -j A"),
    ],
)  # fmt: skip
def test_other_spellings_and_orders_mean_the_same(rule: str, meaning: str) -> None:
    parts = take_apart(f"-A CHAIN {rule}")
    assert written(parts) == meaning
    assert (parts.unknown, parts.problem) == ((), "")


@pytest.mark.parametrize(
    ("rule", "meaning"),
    [
        ("-m nosuch --level 3 4 -j A", "-m nosuch --level 3 4 -j A ?? -m nosuch"),
        ("-m nosuch ! --level -3 -j A", "-m nosuch ! --level -3 -j A ?? -m nosuch"),
        ("-m nosuch -m tcp --level 3 -j A", "-m nosuch -m tcp -j A ?? -m nosuch ?? --level 3"),
        ("-p tcp --nosuch 1 -j A", "-p tcp -j A ?? --nosuch 1"),
        ("--dport 80 -j A", "-j A ?? --dport 80"),
        ("-j NOSUCH --with a --and b", "-j NOSUCH ?? --with a ?? --and b"),
        ("-m tcp --nosuch -m udp --dport 1 -j A", "-m tcp -m udp --dport 1 -j A ?? --nosuch"),
        ("stray -j A", "-j A ?? stray"),
        ("-j ACCEPT trailing words", "-j ACCEPT ?? trailing words"),
    ],
)
def test_what_no_table_knows_is_kept_as_it_stood(rule: str, meaning: str) -> None:
    parts = take_apart(f"-A CHAIN {rule}")
    assert written(parts) == meaning
    assert parts.problem == ""


@pytest.mark.parametrize("counters", ["-c 1 2", "--set-counters 1 2"])
def test_counters_inside_a_rule_are_no_option_of_anything(counters: str) -> None:
    parts = take_apart(f"-A CHAIN -s 10.0.0.1 {counters} -j A")
    assert written(parts) == "-s 10.0.0.1 -j A"
    assert (parts.unknown, parts.problem) == ((), "")


@pytest.mark.parametrize(
    "rule",
    ["-s", "-s 1.1.1.1 -j", "-g", "-m", "-m tcp --dport", "-p tcp !", "-m set --match-set S",
     "-j DNAT --to-destination", "-m statistic --probability", "-c", "-c 1", "--set-counters 1"],
)  # fmt: skip
def test_a_rule_cut_short_has_a_problem(rule: str) -> None:
    problem = take_apart(f"-A CHAIN {rule}").problem
    assert problem.endswith("has no value")
    assert problem.split()[0] in rule


def test_an_append_without_a_chain_has_a_problem() -> None:
    assert take_apart("-A") == RuleParts("", (), (), None, (), "-A has no value")


def test_a_quote_that_never_closes_is_a_problem_of_the_rule() -> None:
    parts = take_apart('-A CHAIN -s 10.0.0.1 -m comment --comment "cut he')
    assert parts == RuleParts("CHAIN", (), (), None, (), "unterminated quote")


@pytest.mark.parametrize("rule", ["! -j ACCEPT", "! -g A", "! -m tcp --dport 80 -j A"])
def test_a_negation_that_nothing_can_take_is_not_dropped_silently(rule: str) -> None:
    parts = take_apart(f"-A CHAIN {rule}")
    assert parts.problem or parts.unknown


def test_an_exclamation_mark_as_a_comment_is_no_negation() -> None:
    parts = take_apart('-A CHAIN -p icmp -m comment --comment "!" -j ACCEPT')
    assert written(parts) == "-p icmp -m comment --comment ! -j ACCEPT"
    assert parts.matches[0].options == (Option("--comment", negated=False, values=("!",)),)


def test_an_option_that_is_absent_is_none() -> None:
    parts = take_apart("-A CHAIN -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.1:80 --random")
    (match,) = parts.matches
    assert match.option("--dport") == Option("--dport", negated=False, values=("80",))
    assert match.option("--sport") is None
    assert parts.target is not None
    assert parts.target.value("--to-destination") == "10.0.0.1:80"
    assert parts.target.value("--random") is None
    assert parts.target.value("--persistent") is None


WORDS = ("-s", "!", "-m", "tcp", "--dport", "--syn", "-j", "-g", "LOG", "--log-level", "x", "1", "--nosuch")


@settings(max_examples=300)
@given(st.lists(st.sampled_from(WORDS), max_size=12))
def test_no_word_of_a_rule_is_lost_unless_the_rule_has_a_problem(words: list[str]) -> None:
    parts = take_apart(" ".join(["-A", "CHAIN", *words]))
    shown = parts._replace(
        unknown=tuple(one for one in parts.unknown if not one.option.name.startswith("-m "))
    )
    lost = Counter(words) - Counter(written(shown).split())
    assert not lost or parts.problem


def test_of_two_targets_none_is_dropped_silently() -> None:
    parts = take_apart("-A CHAIN -j KUBE-MARK-MASQ -j ACCEPT")
    assert parts.problem or parts.unknown


# --- what getopt allows ----------------------------------------------------------------------------------------

TYPED = {
    "-A INPUT -jDROP": "-A INPUT -j DROP",
    "-A INPUT --jump=DROP": "-A INPUT -j DROP",
    "-A INPUT --ju DROP": "-A INPUT -j DROP",
    "-A INPUT -gC": "-A INPUT -g C",
    "-A INPUT --goto=C": "-A INPUT -g C",
    "-A INPUT -ptcp -mtcp --dport=22 -jDROP": "-A INPUT -p tcp -m tcp --dport 22 -j DROP",
    "-A INPUT --match=tcp -p tcp -j DROP": "-A INPUT -m tcp -p tcp -j DROP",
    "-A INPUT -c 1,2 -j DROP": "-A INPUT -c 1 2 -j DROP",
    "-A INPUT -c1,2 -j DROP": "-A INPUT -c 1 2 -j DROP",
}


@pytest.mark.parametrize("typed", TYPED)
def test_options_with_their_values_in_one_word_are_the_same(typed: str) -> None:
    read = take_apart(typed)
    assert read == take_apart(TYPED[typed])
    assert (read.problem, read.unknown) == ("", ())
    assert read.target is not None


@pytest.mark.parametrize(
    "typed",
    [
        "-A INPUT -p tcp \u2013j DROP",
        "-A INPUT -c 1,x",
        "-A INPUT -j",
        "-A INPUT -j DROP -j ACCEPT",
        "-A INPUT what",
    ],
)
def test_what_a_rule_does_is_unclear_where_its_target_may_be_what_is_not_understood(typed: str) -> None:
    read = take_apart(typed)
    assert read.target is None
    assert read.unclear


@pytest.mark.parametrize("typed", ["-A INPUT -p tcp", "-A INPUT -m nosuch --match 1"])
def test_a_rule_without_a_target_is_clear_where_all_is_understood(typed: str) -> None:
    assert not take_apart(typed).unclear
