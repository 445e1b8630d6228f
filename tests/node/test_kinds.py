"""Which kind of evidence a text is, and whether a command prints only a part of what it is asked about."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iptviz.node.evidence import READERS
from iptviz.node.kinds import HEAD, KINDS, is_partial, kind_of
from tests.node import texts

NFT_JSON, NFT_TEXT = texts.listing("nft.json"), texts.listing("nft-a.txt")
SAMPLES: dict[str, tuple[bytes, ...]] = {
    "addresses": (
        texts.ADDRESSES,
        texts.ADDRESSES_EACH_IN_A_LINE,
        texts.ADDRESSES_OF_SIX,
        texts.ADDRESSES_JSON,
        b'[ {\n        "ifindex": 1,\n        "flags": [ "UP" ],\n        "addr_info": [ {} ]\n    } ]\n',
        b"lo               UNKNOWN        127.0.0.1/8 ::1/128\neth0  UP  192.168.1.11/24\n",
        b"3: tun0    inet 10.0.0.1 peer 10.0.0.2/32 scope global tun0\n",
    ),
    "routes": (
        texts.MAIN_ROUTES,
        texts.MAIN_ROUTES_OF_SIX,
        texts.ROUTES_JSON,
        texts.LOCAL_ROUTES,
        b"blackhole 10.0.0.0/8 proto bird\n",
        b"default proto static metric 100\n\tnexthop via 192.0.2.1 dev eth0 weight 1\n",
        b'[{"type":"local","dst":"127.0.0.1"}]',
    ),
    "rules": (texts.RULES, texts.RULES_JSON, b"100:\tnot from all fwmark 0x80000/0x80000 lookup 52\n"),
    "ipsets": (texts.IPSET_LIST, texts.IPSET_SAVE, b"create a list:set size 8\n"),
    "recent": (texts.RECENT,),
    "sysctls": (texts.SYSCTLS, b"net/ipv4/x = 1\nnet.ipv4.ip_forward=1\n"),
    "conntrack": (texts.CONNTRACK, texts.CONNTRACK.replace(b"ipv4     2 ", b"")),
    "nft": (NFT_TEXT, NFT_JSON, b"# Warning: x\ntable inet filter {\n}\n"),
    "ipvs": (
        texts.IPVS,
        b"-A -t 10.96.0.1:443 -s rr\n",
        b"-A --sctp-service 10.96.0.1:443 -s rr -p 10800\n",
        b"TCP  10.96.0.1:443 rr\n  -> 192.168.1.10:6443            Masq    1      0          0         \n",
        b"UDP  [fd00::a]:53 wrr persistent 10800\n",
    ),
    "pods": (
        b"NAMESPACE   NAME   READY   STATUS   RESTARTS   AGE   IP   NODE   NOMINATED NODE   READINESS GATES\n",
        b"NAME    READY   STATUS    RESTARTS   AGE   IP           NODE\n",
        b'{\n  "apiVersion": "v1",\n  "items": [\n    {\n      "apiVersion": "v1",\n      "kind": "Pod",\n',
        b'{"apiVersion":"v1","kind":"PodList"}',
        b"apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Pod\n",
    ),
    "table names": (b"nat\nfilter\n",),
    "iptables-xml": (
        b'<?xml version="1.0"?>\n<iptables-rules version="1.0">\n',
        b'<iptables-rules version="1.0">',
    ),
    "kubeskoop": (b'{"nn": "node-1", "it": "<iptables-rules version=\'1.0\'>"}',),
}
NOTHING = (
    b"",
    b"\n",
    texts.OLD_IP,
    texts.ERROR,
    texts.IFCONFIG,
    texts.KUBE_PROXY_LOG,
    texts.SERVICES,
    texts.CONNTRACK_STATS,
    texts.LEGACY,
    texts.listing("nat-nvL.txt"),
    texts.FAILED_LISTING,
    b"filter\nnat\nothers\n",
    b"NAMESPACE   NAME   READY   STATUS   RESTARTS   AGE\n",  # tells no addresses
    b'{"apiVersion":"v1","items":[{"addressType":"IPv4","endpoints":[{"targetRef":{"kind":"Pod"}}]}]}',
    b'[{"name": "eth0"}]',
    b'{"kind": "List", "items": [{"it": 1}]}',
    b"the default via a proxy\nlog: net.ipv4.ip_forward = 1\n",
    b"Destination     Gateway         Genmask\n0.0.0.0         192.168.1.1     0.0.0.0\n",
)


def test_there_is_a_sample_of_every_kind() -> None:
    assert SAMPLES.keys() == KINDS.keys()
    assert READERS.keys() <= KINDS.keys()


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind, all_of in SAMPLES.items() for text in all_of]
)
def test_the_content_tells_the_kind(kind: str, text: bytes) -> None:
    assert kind_of(text) == kind
    assert kind_of(text.replace(b"\n", b"\r\n")) == kind


@pytest.mark.parametrize("text", NOTHING)
def test_other_texts_are_no_evidence(text: bytes) -> None:
    assert kind_of(text) is None


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("proc/4242/net/xt_recent/clients", "recent"),
        ("proc/4242/net/ip_tables_names", "table names"),
        ("ip6_tables_names", "table names"),
        ("proc/4242/net/xt_recent", None),
        ("networking/ip_-d_address", None),
    ],
)
def test_an_empty_list_is_known_by_its_path(path: str, kind: str | None) -> None:
    assert kind_of(b"", path) == kind


def test_only_the_beginning_is_looked_at() -> None:
    noise = b"x" * 63 + b"\n"
    assert kind_of(noise * (HEAD // 64 - 1) + texts.IPSET_SAVE) == "ipsets"
    assert kind_of(noise * (HEAD // 64) + texts.IPSET_SAVE) is None


PARTS = {
    "addresses": ("ip addr show dev eth0", "ip a show eth0", "ip addr | grep inet", "grep inet addr.txt"),
    "routes": (
        "ip route get 192.0.2.1", "ip route show dev eth0", "ip r | head", "ip route show 10.0.0.0/8",
        "ip route list default", "ip -6 route show fd00::/8", "ip route show proto kernel",
    ),
    "rules": ("ip rule show table 100", "ip rule | grep fwmark"),
    "ipsets": ("ipset list -t", "ipset list -terse", "ipset -t list", "ipset save | head -20"),
    "conntrack": ("conntrack -L -p tcp", "conntrack -L -s 10.0.0.1", "conntrack -L --dst 10.0.0.1"),
    "nft": ("nft list table ip nat", "nft list ruleset ip", "nft list chain ip nat x", "nftables-ip-nat"),
}  # fmt: skip
WHOLE = {
    "addresses": ("", "ip a", "ip -d address", "ip addr show", "sudo -n ip -4 addr", "ip a | tee a.txt", "ip a | cat"),
    "routes": ("", "ip r", "ip route show table all", "ip -4 route list", "ip--4-r", "ip-route-v6", "ip route show table 100"),
    "rules": ("", "ip rule", "ip -4 rule list", "ip rule show", "ip-rules"),
    "ipsets": ("", "ipset list", "ipset save", "sudo -n ipset save", "ipset list pods-here"),
    "conntrack": ("", "conntrack -L", "conntrack -L -o extended", "nf conntrack", "sudo -n conntrack -L"),
    "nft": ("", "nft list ruleset", "nft -a list ruleset", "nft-list-ruleset-sdn-abcde", "nft -jn list ruleset"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "command"), [(kind, one) for kind, some in PARTS.items() for one in some])
def test_some_commands_print_a_part(kind: str, command: str) -> None:
    assert is_partial(kind, command)


@pytest.mark.parametrize(("kind", "command"), [(kind, one) for kind, some in WHOLE.items() for one in some])
def test_others_print_all_they_are_asked_about(kind: str, command: str) -> None:
    assert not is_partial(kind, command)


@given(
    st.sampled_from([(kind, text) for kind, all_of in SAMPLES.items() for text in all_of]),
    st.binary(max_size=80),
)
def test_what_follows_changes_nothing_but_of_lists_of_names(sample: tuple[str, bytes], after: bytes) -> None:
    kind, text = sample
    order = list(KINDS)
    found = kind_of(text + b"\n" + after)
    assert kind == "table names" or (found is not None and order.index(found) <= order.index(kind))
