"""Every row of the option tables is read as the option of its match or target, under every spelling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from iptviz.grammar.reader import take_apart
from iptviz.xtables.matches import BASIC, PROTOCOL_MATCH, match_names, match_options
from iptviz.xtables.option import Option, OptionSpec, OptionTable, table_of
from iptviz.xtables.targets import target_names, target_spec

if TYPE_CHECKING:
    from iptviz.grammar.parts import RuleParts


def options_of_match(name: str) -> OptionTable:
    table = match_options(name)
    assert table is not None
    return table


def options_of_target(name: str) -> OptionTable:
    spec = target_spec(name)
    assert spec is not None
    return spec.options


MATCH_ROWS = [(name, word) for name in match_names() for word in options_of_match(name)]
TARGET_ROWS = [(name, word) for name in target_names() for word in options_of_target(name)]
VALUES = ("first", "second")


def ways(word: str, spec: OptionSpec) -> list[tuple[str, Option]]:
    """Return every way to write the option `word`, with its meaning: few or many values, negated or not."""
    return [
        (
            " ".join([*(["!"] if negated else []), word, *VALUES[:count]]),
            Option(spec.name, negated, VALUES[:count]),
        )
        for count in range(spec.least, spec.most + 1)
        for negated in {False, spec.negatable}
    ]


def read_whole(text: str) -> RuleParts:
    parts = take_apart(text)
    assert (parts.chain, parts.unknown, parts.problem) == ("CHAIN", (), "")
    return parts


@pytest.mark.parametrize("word", list(BASIC))
def test_a_basic_option_belongs_to_the_rule(word: str) -> None:
    for text, meaning in ways(word, BASIC[word]):
        parts = read_whole(f"-A CHAIN {text} -j A")
        assert (parts.basics, parts.matches) == ((meaning,), ())


@pytest.mark.parametrize(("name", "word"), MATCH_ROWS)
def test_an_option_belongs_to_its_match(name: str, word: str) -> None:
    for text, meaning in ways(word, options_of_match(name)[word]):
        parts = read_whole(f"-A CHAIN -m {name} {text} -j A")
        assert parts.matches == ((name, (meaning,)),)
        assert (parts.basics, parts.target) == ((), ("A", False, ()))


@pytest.mark.parametrize(("name", "word"), TARGET_ROWS)
def test_an_option_belongs_to_its_target(name: str, word: str) -> None:
    for text, meaning in ways(word, options_of_target(name)[word]):
        parts = read_whole(f"-A CHAIN -m comment --comment x -j {name} {text}")
        assert parts.target == (name, False, (meaning,))
        assert len(parts.matches) == 1


@pytest.mark.parametrize("name", match_names())
def test_all_options_of_a_match_stand_side_by_side(name: str) -> None:
    specs = dict.fromkeys(options_of_match(name).values())
    texts = [ways(spec.name, spec)[-1] for spec in specs]
    parts = read_whole(f"-A CHAIN -m {name} {' '.join(text for text, _ in texts)} -j A")
    assert parts.matches == ((name, tuple(meaning for _, meaning in texts)),)
    assert parts.target == ("A", False, ())


@pytest.mark.parametrize("name", target_names())
def test_all_options_of_a_target_stand_side_by_side(name: str) -> None:
    texts = [ways(spec.name, spec)[-1] for spec in dict.fromkeys(options_of_target(name).values())]
    parts = read_whole(" ".join([f"-A CHAIN -j {name}", *(text for text, _ in texts)]))
    assert parts.target == (name, False, tuple(meaning for _, meaning in texts))


@pytest.mark.parametrize(("protocol", "match"), list(PROTOCOL_MATCH.items()))
def test_a_protocol_loads_its_match_however_it_is_spelled(protocol: str, match: str) -> None:
    word, spec = next(iter(options_of_match(match).items()))
    text, meaning = ways(word, spec)[0]
    parts = read_whole(f"-A CHAIN -p {protocol} {text} -j A")
    assert parts.matches == ((match, (meaning,)),)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("-s --source --src", "-s"),
        ("-d --destination --dst", "-d"),
        ("-p --protocol --proto", "-p"),
        ("-i --in-interface", "-i"),
        ("-o --out-interface", "-o"),
        ("-f --fragment", "-f"),
    ],
)
def test_other_names_of_a_basic_option_mean_the_printed_one(words: str, name: str) -> None:
    assert {BASIC[word].name for word in words.split()} == {name}


@pytest.mark.parametrize(
    ("match", "word", "name"),
    [
        ("tcp", "--source-port", "--sport"),
        ("udp", "--destination-port", "--dport"),
        ("multiport", "--source-ports", "--sports"),
        ("multiport", "--destination-ports", "--dports"),
        ("icmp6", "--icmp6-type", "--icmpv6-type"),
        ("hashlimit", "--hashlimit", "--hashlimit-upto"),
        ("set", "--set", "--match-set"),
        ("ttl", "--ttl", "--ttl-eq"),
    ],
)
def test_other_names_of_a_match_option_mean_the_printed_one(match: str, word: str, name: str) -> None:
    assert options_of_match(match)[word] is options_of_match(match)[name]
    assert options_of_match(match)[word].name == name


GOING_ON = (
    "MARK LOG CT SET TCPMSS CONNMARK NFLOG ULOG TRACE NOTRACK CHECKSUM CLASSIFY DSCP TOS TTL HL TEE AUDIT"
)
ENDING = "ACCEPT DROP REJECT DNAT SNAT MASQUERADE REDIRECT NETMAP QUEUE NFQUEUE RETURN TPROXY"


@pytest.mark.parametrize(
    ("target", "continues"),
    [*((name, True) for name in GOING_ON.split()), *((name, False) for name in ENDING.split())],
)
def test_a_target_ends_the_table_or_lets_the_next_rule_be_asked(target: str, continues: bool) -> None:
    spec = target_spec(target)
    assert spec is not None
    assert spec.continues is continues


@pytest.mark.parametrize("name", ["", "KUBE-SVC-X", "accept", "Drop", "tcp"])
def test_a_name_that_no_table_has_is_unknown(name: str) -> None:
    assert target_spec(name) is None
    assert match_options(name.upper()) is None


PRINTED = """\
-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j LOG --log-prefix "two words " --log-level 6
-p tcp -m tcp --tcp-flags SYN,RST SYN -m tcpmss --mss 536:65535 -j TCPMSS --clamp-mss-to-pmtu
-m hashlimit --hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-mode srcip --hashlimit-name x -j A
-m set --match-set x src,dst --return-nomatch ! --update-counters --packets-gt 5 -j A
-j SET --add-set x src,dst --exist --timeout 10
-j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff
-j CONNMARK --set-xmark 0x1/0xff --left-shift-mark 2
-m time --timestart 10:00:00 --timestop 18:00:00 --weekdays Mon,Tue --datestop 2038-01-19T03:14:07 -j A
-m recent --rcheck --seconds 10800 --reap --name X --mask 255.255.255.255 --rsource -j A
-m physdev ! --physdev-is-in -j A
-m owner ! --uid-owner 0-99 --gid-owner 5 --suppl-groups -j A
-p icmp -m icmp --icmp-type 8/0 -m u32 --u32 "0x6&0xff=0x1" -j NFQUEUE --queue-balance 0:3 --queue-bypass
-m string --string "a b" --algo bm -j A
-m connlimit --connlimit-above 3 --connlimit-mask 32 --connlimit-saddr -j A
-m length ! --length 10:20 -m dscp --dscp 0x10 -m ttl --ttl-gt 3 -m pkttype --pkt-type multicast -j A
-m iprange ! --src-range 10.0.0.1-10.0.0.9 -m mac --mac-source 00:11:22:33:44:55 -j A
-m policy --dir in --pol ipsec --strict --reqid 1 --proto esp --next --spi 0x5 -j A
-m addrtype --dst-type LOCAL --limit-iface-in -m conntrack ! --ctstate NEW,DNAT --ctdir ORIGINAL -j A
-p tcp -j TPROXY --on-port 80 --on-ip 0.0.0.0 --tproxy-mark 0x1/0xffffffff
-j TOS --set-tos 0x10/0x3f
-j NFLOG --nflog-prefix "two words" --nflog-group 5 --nflog-size 100 --nflog-threshold 2
-j TEE --gateway 10.0.0.1
-j IDLETIMER --timeout 5 --label x
-m srh --srh-next-hdr 17 --srh-hdr-len-lt 3 --srh-segs-left-gt 4 --srh-last-entry-eq 4 -j A
-m srh ! --srh-tag 0 --srh-psid a::/64 --srh-nsid b::/64 --srh-lsid c::/64 -j A
"""


@pytest.mark.parametrize("rule", PRINTED.splitlines())
def test_rules_that_iptables_save_printed_are_read_whole(rule: str) -> None:
    """All of these came out of iptables-save 1.8.9 as they stand here."""
    read_whole(f"-A CHAIN {rule}")


def test_a_row_spells_negation_names_and_values() -> None:
    table = table_of(
        ("!--name|--alias word uint", "--flag", "--maybe word?", "--rate uint =5", "--at uint +0")
    )
    assert table == {
        "--name": ("--name", True, ("word", "uint"), 2, None, None),
        "--alias": ("--name", True, ("word", "uint"), 2, None, None),
        "--flag": ("--flag", False, (), 0, None, None),
        "--maybe": ("--maybe", False, ("word",), 0, None, None),
        "--rate": ("--rate", False, ("uint",), 1, "5", None),
        "--at": ("--at", False, ("uint",), 1, None, "0"),
    }
    assert (table["--name"].most, table["--flag"].most, table["--maybe"].most) == (2, 0, 1)
