"""What is said when TARGET is not in the dump."""

from __future__ import annotations

import re

import pytest

import iptviz
from iptviz.checks.wording import sentences
from tests.conftest import FIXTURES
from tests.kubeproxy import NEW, Cluster, Service, saved

HTTPD = (FIXTURES / "httpd-service" / "dump.rules").read_text()
DUAL_6 = (FIXTURES / "httpd-dual-stack" / "dump6.rules").read_text()

FILTER_ONLY = "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"
NO_KUBERNETES = (
    "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp --dport 80 -j DNAT --to 10.0.0.1\nCOMMIT\n"
)
NFTABLES_NODE = """\
*mangle
:KUBE-IPTABLES-HINT - [0:0]
:KUBE-KUBELET-CANARY - [0:0]
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:KUBE-KUBELET-CANARY - [0:0]
COMMIT
"""
IPVS_NODE = """\
*nat
:PREROUTING ACCEPT [0:0]
:KUBE-LOAD-BALANCER - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-NODE-PORT - [0:0]
:KUBE-SERVICES - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-SERVICES ! -s 10.244.0.0/16 -m comment --comment "Kubernetes service cluster ip + port" \
-m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT
-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT
COMMIT
"""
UNSYNCED = """\
*nat
:PREROUTING ACCEPT [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-SERVICES - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
COMMIT
"""
CALICO = "*filter\n:INPUT ACCEPT [0:0]\n:cali-fw-x - [0:0]\n-A cali-fw-x -j DROP\nCOMMIT\n"
EXCERPT = "-A cali-fw-x -j DROP\n"
WIDE = HTTPD.replace(
    "-A PREROUTING",
    "-A PREROUTING -d 10.9.0.0/16 -p tcp -j DNAT --to-destination 192.0.2.8:81\n-A PREROUTING",
    1,
)
FORWARD_DROPS = HTTPD.replace(":FORWARD ACCEPT", ":FORWARD DROP", 1)
STALE_CHAIN = "KUBE-SVC-STALE2VLQEZCHLPK"
STALE = HTTPD.replace(":KUBE-SERVICES - ", f":{STALE_CHAIN} - [0:0]\n:KUBE-SERVICES - ", 1)
STALE_LINE = STALE.splitlines().index(f":{STALE_CHAIN} - [0:0]") + 1


def said(dump: str, target: str) -> str:
    """Return everything that is said about a target that is not there."""
    result = iptviz.trace(iptviz.load(dump.encode()), target)
    assert result.services == ()
    notes = sentences(result.notes)
    assert notes[0] == f'no service matches "{target}" in this dump'
    return "\n".join(notes)


@pytest.mark.parametrize(
    ("dump", "target", "parts"),
    [
        # addresses
        (HTTPD, "10.97.13.199", ["similar: 10.97.13.198:79/tcp (default/httpd-service)"]),
        (HTTPD, "10.97.31.198", ["similar: 10.97.13.198:79/tcp"]),
        (HTTPD, "10.97.13.98", ["similar: 10.97.13.198:79/tcp"]),
        (HTTPD, "10.97.13.198:80", ["10.97.13.198 has other ports: 10.97.13.198:79/tcp"]),
        (HTTPD, "10.97.13.198:79/udp", ["10.97.13.198:79/tcp"]),
        (HTTPD, "fd00:10:96::79", ["IPv6 address", "dump is IPv4", "ip6tables-save"]),
        (DUAL_6, "10.97.13.198", ["IPv4 address", "dump is IPv6", "use the output of iptables-save"]),
        (HTTPD, "10.244.1.17:32123", ["10.244.1.17 is an endpoint: 10.244.1.17:80"]),
        (HTTPD, "10.244.1.17:81", ["10.244.1.17 is an endpoint: 10.244.1.17:80"]),
        (HTTPD.replace("-j KUBE-SEP-2ZFMABIBAPGHKA6E", "-j RETURN"), "10.244.1.17",
         ["is an endpoint: 10.244.1.17:80 (line 37), but no rule of this dump leads to it"]),
        # node ports
        (HTTPD, ":32124", ["similar: :32123/tcp (default/httpd-service)"]),
        (HTTPD, ":79", ["not a node port but a service port: 10.97.13.198:79/tcp"]),
        (HTTPD, ":53", ["10.96.0.10:53/udp (kube-system/kube-dns:dns)"]),
        # names
        (HTTPD, "default/httpd-servce", ["did you mean default/httpd-service?"]),
        (HTTPD, "httpd-servise", ["did you mean httpd-service?"]),
        (HTTPD, "kube-system/httpd-service", ["in other namespaces: default/httpd-service"]),
        (HTTPD, "kube-dns:dsn", ["kube-system/kube-dns:dns, kube-system/kube-dns:dns-tcp"]),
        (HTTPD, "kube-system/kube-dns:http", ["the service has these ports: kube-system/kube-dns:dns, "]),
        (HTTPD, "http", ["did you mean default/httpd-service?"]),
        (HTTPD, "HTTPD", ["did you mean default/httpd-service?"]),
        (HTTPD, "default/ht", ["did you mean default/httpd-service?"]),
        (HTTPD, "e", ['"e" is part of default/httpd-service, default/kubernetes, kube-system/kube-dns; list all']),
        (HTTPD, "nothing-such", ["3 services in this dump; list them: iptviz services DUMP"]),
        (HTTPD, "httpd-service.default.svc.cluster.local:80", [
            "default/httpd-service has other ports: 10.97.13.198:79/tcp (default/httpd-service), :32123/tcp"]),
        (HTTPD, "_dns._tcp.kube-dns.kube-system.svc", ["10.96.0.10:53/udp (kube-system/kube-dns:dns)"]),
        (HTTPD, "node-1:32123", ["32123 is a node port: :32123/tcp", "if node-1 is a node, trace :32123"]),
        (HTTPD, "79", ["reading 79 as node port :79", "but a service port: 10.97.13.198:79/tcp"]),
        # chains
        (HTTPD, "KUBE-SVC-X2P42VLQEZCHLPKX", ["did you mean KUBE-SVC-X2P42VLQEZCHLPKZ?"]),
        (HTTPD, "KUBE-SERVICES", ["is in table nat (line 22)", "leads to all services: trace one of them"]),
        (HTTPD, "KUBE-FORWARD", [
            "Chain KUBE-FORWARD is in table filter (line 89): 3 rules.", "line 99: -A KUBE-FORWARD -m comment",
            "Rules of KUBE-FORWARD lead to ACCEPT.", "lead to KUBE-FORWARD are in FORWARD (line 94).",
            "iptviz graph --around KUBE-FORWARD",
        ]),
        (HTTPD, "FORWARD", ["is in table filter (line 85): 2 rules, policy ACCEPT", "KUBE-FORWARD, KUBE-SERVICES."]),
        (HTTPD, "KUBE-SERVICES", ["table nat", "and 6 more rules", "table filter (line 90): no rules.",
                                  "PREROUTING, OUTPUT (lines 28, 29)"]),
        (CALICO, "cali-fw-x", ["Chain cali-fw-x is in table filter", "1 rule.", "No rule of table filter leads to"]),
        (EXCERPT, "cali-fw-x", ["1 rule in this incomplete dump"]),
        (HTTPD, "NOSUCH", ["3 services in this dump; list them: iptviz services DUMP"]),
        (HTTPD, "KUBE-FORWARDS", ["did you mean KUBE-FORWARD?"]),
        (STALE, STALE_CHAIN, [f"is in table nat (line {STALE_LINE})", "no service leads to it"]),
        # what the node lacks
        (FILTER_ONLY, "10.97.13.198", ["no nat table, only filter", "iptables-save -t nat"]),
        (NO_KUBERNETES, "10.97.13.198", ["no KUBE-SERVICES chain", "does not run in iptables mode"]),
        (NFTABLES_NODE, "10.97.13.198", ["no KUBE-SERVICES", "kubelet runs", "nft list table ip kube-proxy"]),
        (IPVS_NODE, "10.97.13.198", ["IPVS mode", "ipvsadm -Sn"]),
        (UNSYNCED, "10.97.13.198", ["has not synced"]),
    ],
)  # fmt: skip
def test_the_likely_reason_is_given(dump: str, target: str, parts: list[str]) -> None:
    text = said(dump, target)
    assert [part for part in parts if part not in text] == []


@pytest.mark.parametrize(
    ("dump", "target", "part"),
    [
        (HTTPD, "10.97.13.198:80", "kube-proxy"),  # the dump is in order: nothing is said about the node
        (NO_KUBERNETES, "10.97.13.198", "kubelet runs"),
        (HTTPD, "10.97.13.19", "does stand"),  # only longer addresses begin with it
        (HTTPD, "10.244.1.17:8080", "leads to no service"),  # its other port does
        (HTTPD, "10.244.1.17:8080", "nothing in this dump leads to it"),
        (HTTPD, "203.0.113.7", "Near it"),
        (HTTPD, "default/entirely-else", "Did you mean"),
        (HTTPD, ":1", "Near it"),
        (HTTPD, "PREROUTING", "no service's traffic"),
        (HTTPD, "PREROUTING", "No rule of table"),
        (EXCERPT, "cali-fw-x", "No rule of table"),
        (EXCERPT, "10.9.9.9:80", "Not DNATed"),
        (HTTPD.rpartition("COMMIT")[0], "10.9.9.9:80", "Not DNATed"),
        (FILTER_ONLY, "10.9.9.9:80", "Not DNATed"),
        (IPVS_NODE, "10.9.9.9:80", "Not DNATed"),
        (HTTPD, "203.0.113.7", "Not DNATed"),  # it may be the node's: its node ports are DNATed
        (WIDE, "10.9.9.9:80", "Not DNATed"),
    ],
)
def test_nothing_wrong_is_said(dump: str, target: str, part: str) -> None:
    assert part not in said(dump, target)


def test_an_address_that_stands_elsewhere_is_pointed_at() -> None:
    dump = HTTPD.replace("*filter\n", "*filter\n-A INPUT -s 192.0.2.7/32 -j DROP\n", 1)
    line = dump.splitlines().index("-A INPUT -s 192.0.2.7/32 -j DROP") + 1
    assert f"in filter INPUT, line {line}" in said(dump, "192.0.2.7")


def test_another_port_of_an_endpoint_is_pointed_at() -> None:
    _, *reasons = said(HTTPD, "10.244.1.17:8080").splitlines()
    assert any(re.search(r"10\.244\.1\.17:80\b", reason) for reason in reasons)


def test_many_neighbours_are_cut_to_five_and_counted() -> None:
    services = tuple(
        Service(f"web-{number}", f"10.97.20.{number}", (("10.244.0.5", 80),)) for number in range(1, 9)
    )
    text = said(saved(Cluster(services, NEW)), "10.97.20.9")
    assert "similar: 10.97.20.1:80/tcp (default/web-1), " in text
    assert text.splitlines()[1].count("10.97.20.") == 5
    assert "and 3 more" in text


def test_without_a_single_node_port_that_is_said() -> None:
    services = (Service("web", "10.97.20.1", (("10.244.0.5", 80),)),)
    assert "no node ports in this dump" in said(saved(Cluster(services)), ":30080")
    assert "iptviz packet --protocol tcp --dport 30080" in said(saved(Cluster(services)), ":30080")


def test_without_comments_names_are_not_there_to_be_found() -> None:
    bare = HTTPD.replace("default/httpd-service: cluster IP", "x").replace("default/httpd-service:", "x")
    bare = "\n".join(line for line in bare.splitlines() if "kube-dns" not in line and "default/" not in line)
    assert "no comment in this dump names a service; use an address" in said(bare, "default/web")


def test_what_becomes_of_connections_to_an_address_of_no_service() -> None:
    text = said(HTTPD, "10.244.9.9:443")
    assert "Not DNATed: no rule of this dump sends TCP connections to 10.244.9.9:443 elsewhere." in text
    assert "from this node: goes on unchanged" in text
    assert "iptviz packet --dst 10.244.9.9 --protocol tcp --dport 443" in text
    dropped = said(FORWARD_DROPS, "10.9.9.9:443/udp")
    assert "UDP connections to 10.9.9.9:443" in dropped
    assert (
        "from a pod: DROP by the policy of filter FORWARD (line 85), if destination is not local" in dropped
    )
    assert "from this node: goes on unchanged" in dropped


def test_where_no_kube_proxy_is_seen_the_rules_alone_are_spoken_of() -> None:
    text = said(NO_KUBERNETES, "10.9.9.9:443")
    assert "No rule of this dump DNATs TCP connections to 10.9.9.9:443; nftables or eBPF" in text
    assert "unchanged" not in text
    assert "Not DNATed" not in text


def test_an_address_that_others_rules_rewrite_is_said_to_be() -> None:
    assert "name no service DNAT TCP connections to 10.9.9.9:80, all or some, to 192.0.2.8:81." in said(
        WIDE, "10.9.9.9:80"
    )
    without_port = said(HTTPD, "203.0.113.7")
    assert "depend on the port: add one, such as 203.0.113.7:443" in without_port
    assert "Full path" not in without_port  # of all node ports at once it may be too large
