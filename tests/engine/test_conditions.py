"""Conditions: their facts are fields, words are made of them in one place, and each kind's row is right in all."""

from __future__ import annotations

import inspect
import re

import pytest

import iptviz
from iptviz.engine.assume import read_assumption
from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.condition_kinds import CONDITION_KINDS, MATCHES_SETTLED_BY
from iptviz.engine.fields import FIELD_KINDS, Field, all_values, field_of, region_asked
from iptviz.engine.knowing import answers_of
from iptviz.engine.regions import lies_in, meets
from iptviz.engine.unknowns import COUNTS
from iptviz.errors import PacketError
from iptviz.questions.packet_fields import FIELDS
from iptviz.questions.packet_notes import settled_by
from iptviz.redact.beside import Beside
from iptviz.redact.dump import Redactor
from iptviz.redact.secrets import KEY_BYTES, Secrets
from tests.conftest import ROOT

# For each kind a condition with all that it may have, and the words for yes and for no.
EXAMPLES = {
    "source-cidr": (Condition("source-cidr", "10.1.0.0/16"), "source in 10.1.0.0/16", "source not in 10.1.0.0/16"),
    "destination-cidr": (
        Condition("destination-cidr", "10.1.0.0/16", since=7),
        "destination in 10.1.0.0/16 (as line 7 left it)", "destination not in 10.1.0.0/16 (as line 7 left it)",
    ),
    "source-range": (Condition("source-range", "10.1.0.1-10.1.0.9"), "source in 10.1.0.1-10.1.0.9", "source not in 10.1.0.1-10.1.0.9"),
    "destination-range": (
        Condition("destination-range", "10.1.0.1-10.1.0.9", since=7),
        "destination in 10.1.0.1-10.1.0.9 (as line 7 left it)", "destination not in 10.1.0.1-10.1.0.9 (as line 7 left it)",
    ),
    "source-type": (Condition("source-type", "LOCAL"), "source is local to this node", "source is not local to this node"),
    "destination-type": (
        Condition("destination-type", "BROADCAST", rewritten="10.1.0.1-10.1.0.9:80-90", since=12),
        "destination is of type BROADCAST (rewritten to 10.1.0.1-10.1.0.9:80-90) (as line 12 left it)",
        "destination is not of type BROADCAST (rewritten to 10.1.0.1-10.1.0.9:80-90) (as line 12 left it)",
    ),
    "in-interface": (Condition("in-interface", "tenant+"), "input interface is tenant+", "input interface is not tenant+"),
    "out-interface": (Condition("out-interface", "uplink0"), "output interface is uplink0", "output interface is not uplink0"),
    "bridge-port": (Condition("bridge-port", ""), "input is a bridge port", "input is not a bridge port"),
    "source-port": (Condition("source-port", "80:90"), "source port 80:90", "source port not 80:90"),
    "destination-port": (
        Condition("destination-port", "80", since=3), "destination port 80 (as line 3 left it)", "destination port not 80 (as line 3 left it)",
    ),
    "protocol": (Condition("protocol", "tcp"), "protocol is tcp", "protocol is not tcp"),
    "ttl": (Condition("ttl", "0:4", since=12), "time to live is 0:4 (as line 12 left it)", "time to live is not 0:4 (as line 12 left it)"),
    "length": (Condition("length", "40,1500"), "length is 40,1500", "length is not 40,1500"),
    "state": (
        Condition("state", "ESTABLISHED,RELATED"), "connection state is ESTABLISHED,RELATED", "connection state is not ESTABLISHED,RELATED",
    ),
    "turn": (Condition("turn", "mode nth every 2 packet 0", rule=12), "statistic mode nth every 2 packet 0 at line 12 takes the packet",
             "statistic mode nth every 2 packet 0 at line 12 does not take the packet"),
    "untracked-type": (Condition("untracked-type", "151"), "this kernel leaves ICMPv6 type 151 untracked",
                       "this kernel tracks ICMPv6 type 151"),
    "hairpin": (
        Condition("hairpin", "shop-br"), "shop-br sends back by the port from which a packet came (hairpin mode)",
        "shop-br does not send back by the port from which a packet came (no hairpin mode)",
    ),
    "cookie": (
        Condition("cookie", ""), "this ACK answers a SYN/ACK of SYNPROXY", "this ACK answers no SYN/ACK of SYNPROXY",
    ),
    "group": (Condition("group", "239.1.2.3"), "this node has joined 239.1.2.3", "this node has not joined 239.1.2.3"),
    "bridged": (Condition("bridged", "shop-br"), "packet is bridged within shop-br", "packet is not bridged within shop-br"),
    "delivery": (
        Condition("delivery", "0x1/0x1"),
        "routing delivers packets of mark 0x1/0x1 to this node",
        "routing does not deliver packets of mark 0x1/0x1 to this node",
    ),
    "rewriting": (
        Condition("rewriting", ""), "nat has not rewritten the connection", "nat has rewritten the connection",
    ),
    "nat-helper": (
        Condition("nat-helper", ""), "no NAT helper has rewritten the connection", "a NAT helper has rewritten the connection",
    ),
    "direction": (Condition("direction", ""), "packet is a reply", "packet is not a reply"),
    "dnat": (
        Condition("dnat", "10.1.0.2:8080,this node:80"), "the connection was DNATed to 10.1.0.2:8080,this node:80",
        "the connection was not DNATed to 10.1.0.2:8080,this node:80",
    ),
    "snat": (
        Condition("snat", "192.168.1.10"), "the connection was SNATed to 192.168.1.10", "the connection was not SNATed to 192.168.1.10",
    ),
    "tracking": (Condition("tracking", ""), "this node tracks connections", "this node does not track connections"),
    "fragment": (Condition("fragment", ""), "packet is a later fragment", "packet is not a later fragment"),
    "mark": (Condition("mark", "0x1/0x1", since=4), "mark is 0x1/0x1 (as line 4 left it)", "mark is not 0x1/0x1 (as line 4 left it)"),
    "connmark": (Condition("connmark", "0x10"), "connection mark is 0x10", "connection mark is not 0x10"),
    "local": (Condition("local", "192.168.1.10"), "192.168.1.10 is an address of this node", "192.168.1.10 is not an address of this node"),
    "endpoint-local": (
        Condition("endpoint-local", "DNAT"),
        "each DNAT target is local to this node", "each DNAT target is not local to this node",
    ),
    "answer": (
        Condition("answer", "-m length --length 40", rule=12),
        "the answer matches -m length --length 40 at line 12", "the answer does not match -m length --length 40 at line 12",
    ),
    "listener": (
        Condition("listener", "netfilter queue 3"), "a program listens on netfilter queue 3", "no program listens on netfilter queue 3",
    ),
    "rate": (
        Condition("rate", "limit 3/hour limit-burst 9", rule=12),
        "limit 3/hour limit-burst 9 at line 12 is not exceeded", "limit 3/hour limit-burst 9 at line 12 is exceeded",
    ),
    "time": (
        Condition("time", "timestart 08:00:00 weekdays Mon,Tue kerneltz"),
        "now is timestart 08:00:00 weekdays Mon,Tue kerneltz", "now is not timestart 08:00:00 weekdays Mon,Tue kerneltz",
    ),
    "quota": (Condition("quota", "5000", rule=9), "quota 5000 at line 9 is not used up", "quota 5000 at line 9 is used up"),
    "recent": (
        Condition("recent", "my list", "--seconds 60 --rsource", rule=12),
        "source is in the recent list my list (--seconds 60 --rsource) at line 12",
        "source is not in the recent list my list (--seconds 60 --rsource) at line 12",
    ),
    "set": (
        Condition("set", "clients", "src,dst --return-nomatch", rewritten="10.1.0.1:80", since=3),
        "packet is in ipset clients src,dst --return-nomatch (rewritten to 10.1.0.1:80) (as line 3 left it)",
        "packet is not in ipset clients src,dst --return-nomatch (rewritten to 10.1.0.1:80) (as line 3 left it)",
    ),
    "count": (
        Condition("count", "-m connlimit --connlimit-above 5", rule=12),
        "packet matches -m connlimit --connlimit-above 5 at line 12", "packet does not match -m connlimit --connlimit-above 5 at line 12",
    ),
    "match": (
        Condition("match", "-m string --string clients --algo bm", since=5),
        "packet matches -m string --string clients --algo bm (as line 5 left it)",
        "packet does not match -m string --string clients --algo bm (as line 5 left it)",
    ),
    "backend-order": (
        Condition("backend-order", "nat"), "legacy table nat runs before that of nf_tables", "legacy table nat runs after that of nf_tables",
    ),
    "unseen-tables": (
        Condition("unseen-tables", "raw, mangle"),
        "tables not in the dump (raw, mangle) have no effect", "tables not in the dump (raw, mangle) have an effect",
    ),
    "unseen-chains": (
        Condition("unseen-chains", "nat PREROUTING, KUBE-MARK-MASQ and filter FORWARD"),
        "missing lines of nat PREROUTING, KUBE-MARK-MASQ and filter FORWARD are as kube-proxy writes them",
        "missing lines of nat PREROUTING, KUBE-MARK-MASQ and filter FORWARD are not as kube-proxy writes them",
    ),
    "sysctl": (
        Condition("sysctl", "net.ipv4.conf.tenant12.route_localnet=1"),
        "net.ipv4.conf.tenant12.route_localnet=1", "net.ipv4.conf.tenant12.route_localnet is not 1",
    ),
    "unread": (
        Condition("unread", "line 12"), "rules go on after line 12, which cannot be read", "rules end at line 12, which cannot be read",
    ),
    "hook-order": (
        Condition("hook-order", "filter FORWARD before ip kube-proxy filter-forward"),
        "the kernel asks filter FORWARD before ip kube-proxy filter-forward",
        "the kernel does not ask filter FORWARD before ip kube-proxy filter-forward",
    ),
    "merged": (
        Condition("merged", "tcp sport != 80 tcp dport != 443", rule=12),
        "the kernel compares tcp sport != 80 tcp dport != 443 at line 12 as one",
        "the kernel compares tcp sport != 80 tcp dport != 443 at line 12 one by one",
    ),
    "unprinted-port": (
        Condition("unprinted-port", "tenant/web:http"),
        "the destination port is that of tenant/web:http (not printed)",
        "the destination port is not that of tenant/web:http (not printed)",
    ),
    "unprinted-node-port": (
        Condition("unprinted-node-port", "tenant/web, KUBE-SVC-clients"),
        "the destination port is the node port of tenant/web, KUBE-SVC-clients (not printed)",
        "the destination port is not the node port of tenant/web, KUBE-SVC-clients (not printed)",
    ),
    "unprinted-mark": (
        Condition("unprinted-mark", "line 12"), "the mark fits line 12, whose mark is not printed",
        "the mark does not fit line 12, whose mark is not printed",
    ),
    "unprinted-chance": (
        Condition("unprinted-chance", "line 12, line 14"), "chance chooses line 12, line 14 (no probability printed)",
        "chance does not choose line 12, line 14 (no probability printed)",
    ),
    "as-printed": (
        Condition("as-printed", "line 12"), "line 12 is as wide as printed", "line 12 is narrower than printed, and does not match",
    ),
    "target": (Condition("target", "FOO"), "rules go on after target FOO", "rules end at target FOO"),
}  # fmt: skip


@pytest.mark.parametrize("kind", CONDITION_KINDS)
def test_a_condition_and_its_words_are_made_of_each_other(kind: str) -> None:
    condition, yes, no = EXAMPLES[kind]
    assert (Assumption(condition, holds=True).text, Assumption(condition, holds=False).text) == (yes, no)
    assert (read_assumption(yes), read_assumption(no)) == (
        Assumption(condition, True),
        Assumption(condition, False),
    )
    assert read_assumption(f"! {no}") == read_assumption(yes)


@pytest.mark.parametrize("kind", CONDITION_KINDS)
def test_each_field_makes_another_question(kind: str) -> None:
    condition = EXAMPLES[kind][0]
    others = [
        condition._replace(details="dst"),
        condition._replace(rule=99),
        condition._replace(rewritten="10.9.9.9"),
        condition._replace(since=99),
    ]
    assert len({condition, *others}) == 5
    if kind == COUNTS:  # which nobody assumes
        return
    assert answers_of([Assumption(condition, holds=True)])(condition) is True
    assert answers_of([Assumption(condition, holds=True)])(others[-1]) is None


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("packet is in ipset clients", Condition("set", "clients")),
        ("packet is in ipset two words src", Condition("set", "two words", "src")),
        ("packet is in ipset a src (rewritten to this node:80)", Condition("set", "a", "src", rewritten="this node:80")),
        ("source is in the recent list a", Condition("recent", "a")),
        ("source is in the recent list a (b)", Condition("recent", "a (b)")),
        ("limit 3/hour is not exceeded", Condition("rate", "limit 3/hour")),
        ("hashlimit-name at line 3 at line 4 is not exceeded", Condition("rate", "hashlimit-name at line 3", rule=4)),
        ("packet matches --foo at line 3", Condition("match", "--foo at line 3")),
        ("packet matches --foo (as line 03 left it)", Condition("match", "--foo (as line 03 left it)")),
        (f"mark is 0x1 (as line {'9' * 5000} left it)", Condition("mark", f"0x1 (as line {'9' * 5000} left it)")),
        ("destination is of type LOCAL (as line 3 left it)", Condition("destination-type", "LOCAL", since=3)),
        ("10.1.0.9 is local to this node", Condition("endpoint-local", "10.1.0.9")),
        ("source in host-name", Condition("source-range", "host-name")),
    ],
)  # fmt: skip
def test_words_that_could_be_taken_otherwise_say_the_same_again(text: str, condition: Condition) -> None:
    read = read_assumption(text)
    assert read == Assumption(condition, holds=True)
    assert read.text == text


@pytest.mark.parametrize("kind", CONDITION_KINDS)
def test_the_form_of_each_value_is_described(kind: str) -> None:
    row = CONDITION_KINDS[kind]
    assert bool(row.form) == ("{}" in row.holds) == ("{}" in row.fails)
    assert row.holds != row.fails


@pytest.mark.parametrize("kind", [name for name, row in CONDITION_KINDS.items() if row.field])
def test_a_value_of_a_field_is_read_as_a_region_of_it(kind: str) -> None:
    condition = EXAMPLES[kind][0]
    field = field_of(condition)
    assert field == Field(CONDITION_KINDS[kind].field, rewritten=condition.rewritten, since=condition.since)
    region = region_asked(condition)
    assert lies_in(region, all_values(field))
    assert meets(region, region)
    assert region != all_values(field)


@pytest.mark.parametrize("kind", [name for name, row in CONDITION_KINDS.items() if not row.field])
def test_a_question_of_its_own_is_a_field_of_yes_and_no(kind: str) -> None:
    condition = EXAMPLES[kind][0]
    assert Condition(*field_of(condition)) == condition
    assert region_asked(condition) == ((1, None),)


def test_each_field_has_a_kind_of_condition_that_asks_about_it() -> None:
    assert {row.field for row in CONDITION_KINDS.values() if row.field} == {*FIELD_KINDS}


@pytest.mark.parametrize("kind", [name for name, row in CONDITION_KINDS.items() if row.bits])
def test_the_bits_of_a_mark_are_read_as_those_that_hold_themselves(kind: str) -> None:
    read = CONDITION_KINDS[kind].bits
    bits = read(EXAMPLES[kind][0].value) if read else None
    assert bits is not None
    assert bits.contains(bits)
    assert bits.meets(bits)
    assert read is not None
    assert read("many") is None


def test_a_rule_of_each_kind_that_has_a_state_is_told() -> None:
    assert {kind for kind, row in CONDITION_KINDS.items() if row.per_rule} == {
        kind for kind, (condition, _, _) in EXAMPLES.items() if condition.rule
    }


PARAMETERS = {*FIELDS, *inspect.signature(iptviz.packet).parameters}


@pytest.mark.parametrize("kind", CONDITION_KINDS)
def test_what_settles_a_condition_is_a_parameter_and_an_option(kind: str) -> None:
    names = CONDITION_KINDS[kind].settled_by
    assert set(names) <= PARAMETERS
    assert (settled_by(EXAMPLES[kind][0]._replace(since=None)) or "").count("--") == len(names)


def test_what_a_rule_has_set_no_description_of_the_packet_settles() -> None:
    for condition in (
        Condition("source-port", "80", since=4),
        Condition("destination-cidr", "10.0.0.0/8", since=4),
    ):
        assert settled_by(condition) is None


def test_what_settles_a_match_is_a_parameter() -> None:
    assert {name for names in MATCHES_SETTLED_BY.values() for name in names} <= PARAMETERS


# --- conditions in pseudonyms ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def beside() -> Beside:
    return Beside(
        Redactor(iptviz.load(ROOT / "fixtures/httpd-service/dump.rules"), Secrets(bytes(KEY_BYTES)))
    )


NAMES = re.compile(r"10\.1\.|192\.168\.1\.10|tenant|uplink|clients|my list")
NOTHING_NAMED = {name for name, row in CONDITION_KINDS.items() if not row.names}
NOTHING_NAMED |= {"count", "answer", "endpoint-local"}  # what is asked there names nothing
NOTHING_NAMED -= {"destination-type"}  # it was rewritten


@pytest.mark.parametrize("kind", CONDITION_KINDS)
def test_a_condition_holds_no_name_in_pseudonyms(beside: Beside, kind: str) -> None:
    condition, *both = EXAMPLES[kind]
    for text in both:
        said = beside.assumption(text)
        assert not NAMES.search(said), said
        assert (said == text) == (kind in NOTHING_NAMED)
        again = read_assumption(said).condition
        assert (again.kind, again.rule, again.since) == (kind, condition.rule, condition.since)


def test_a_name_has_the_pseudonym_that_it_has_in_the_dump(beside: Beside) -> None:
    names = beside._names
    assert (
        beside.assumption("packet is in ipset clients src")
        == f"packet is in ipset {names.set('clients')} src"
    )
    assert (
        beside.assumption("packet matches -m set --match-set a src")
        == f"packet matches -m set --match-set {names.set('a')} src"
    )
    assert beside.assumption("input interface is eth0") == f"input interface is {names.interface('eth0')}"
    assert beside.assumption("packet matches -m physdev --physdev-in eth0").endswith(
        f" {names.interface('eth0')}"
    )


@pytest.mark.parametrize(
    "text",
    [
        "source in intranet.example",
        "source in 10.0.0.1 intranet",
        "destination in 10.0.0.1-intranet",
        "destination is of type intranet",
        "source port intranet",
        "protocol is intranet",
        "connection state is intranet",
        "mark is intranet",
        "intranet is an address of this node",
        "every intranet target is local to this node",
        "a program listens on intranet",
        "limit 3/hour hashlimit-name intranet at line 3 is exceeded",
        "intranet is exceeded",
        "now is intranet",
        "quota intranet is used up",
        "packet is in ipset clients intranet src,intranet",
        "packet is in ipset clients src (rewritten to intranet)",
        "packet matches intranet",
        "packet matches a rule that cannot be read (intranet)",
        "packet matches -m string --string x\n-A INPUT -s intranet",
        "rules go on after target intranet",
        "net.ipv4.intranet=1",
        "net.ipv4.conf.intranet is not 1",
    ],
)
def test_what_may_be_a_name_without_a_pseudonym_is_refused(beside: Beside, text: str) -> None:
    assert read_assumption(text).text == text  # it is a condition
    with pytest.raises(PacketError, match="cannot redact"):
        beside.assumption(text)


# --- nobody takes words apart again ----------------------------------------------------------------------------


def test_no_fact_is_read_back_from_the_words_of_a_condition() -> None:
    """But from what a user states with --assume, in the very words of an answer."""
    signs = ("(as line", "(rewritten to", "at line {")
    holding = {
        f"{path.relative_to(ROOT / 'iptviz')} {sign}"
        for path in (ROOT / "iptviz").rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        for sign in signs
        if sign in line.replace("\\", "") and "`" not in line
    }
    assert holding == {
        "engine/marks.py (as line", "engine/condition.py (rewritten to", "engine/condition.py at line {",
        "engine/assume.py (as line", "engine/assume.py (rewritten to",
    }  # fmt: skip
