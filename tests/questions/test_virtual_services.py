"""`trace` and `services` of a node in IPVS mode: what ipvsadm and ipset print here is written by hand."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

import iptviz
from iptviz.checks.wording import sentences
from iptviz.cli.app import app
from iptviz.errors import DumpError
from tests.supplied.test_ipvs import RULES

if TYPE_CHECKING:
    from pathlib import Path

IPVS = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.96.20.1:80 rr persistent 10800
  -> 10.244.0.5:8080              Masq    1      0          0
  -> 10.244.1.6:8080              Masq    1      2          1
  -> 10.244.1.7:8080              Masq    0      0          4
TCP  192.168.1.10:30080 wrr
  -> 10.244.0.5:8080              Masq    1      0          0
  -> 10.244.1.6:8080              Masq    3      0          0
TCP  127.0.0.1:30080 wrr
  -> 10.244.0.5:8080              Masq    1      0          0
  -> 10.244.1.6:8080              Masq    3      0          0
TCP  10.96.20.7:443 sh
  -> 10.244.0.5:8080              Masq    1      0          0
  -> 10.244.1.6:8080              Tunnel  1      0          0
UDP  10.96.0.10:53 rr
TCP  203.0.113.5:443 rr
  -> 10.244.0.5:8080              Masq    1      0          0
TCP  198.51.100.1:443 rr
  -> 10.244.0.5:8080              Masq    0      0          0
TCP  [fd00::a]:80 rr
  -> [fd00:1::5]:8080             Masq    1      0          0
FWM  17 wlc
  -> 10.244.0.5:0                 Route   1      0          0
"""
SAVED = """\
-A -t 10.96.20.1:80 -s rr -p 10800
-a -t 10.96.20.1:80 -r 10.244.0.5:8080 -m -w 1
-a -t 10.96.20.1:80 -r 10.244.1.6:8080 -m -w 1
-a -t 10.96.20.1:80 -r 10.244.1.7:8080 -m -w 0
"""
SETS = """\
create KUBE-CLUSTER-IP hash:ip,port family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0x1234abcd
add KUBE-CLUSTER-IP 10.96.20.1,tcp:80
add KUBE-CLUSTER-IP 10.96.20.7,tcp:443
add KUBE-CLUSTER-IP 10.96.0.10,udp:53
create KUBE-EXTERNAL-IP hash:ip,port family inet hashsize 1024 maxelem 65536
add KUBE-EXTERNAL-IP 198.51.100.1,tcp:443
create KUBE-LOAD-BALANCER hash:ip,port family inet hashsize 1024 maxelem 65536
add KUBE-LOAD-BALANCER 203.0.113.5,tcp:443
create KUBE-LOAD-BALANCER-LOCAL hash:ip,port family inet hashsize 1024 maxelem 65536
add KUBE-LOAD-BALANCER-LOCAL 203.0.113.5,tcp:443
create KUBE-NODE-PORT-TCP bitmap:port range 0-65535
add KUBE-NODE-PORT-TCP 30080
create KUBE-6-CLUSTER-IP hash:ip,port family inet6 hashsize 1024 maxelem 65536
add KUBE-6-CLUSTER-IP fd00::a,tcp:80
"""
LIST = """\
NAMESPACE     NAME       TYPE           CLUSTER-IP   EXTERNAL-IP    PORT(S)         AGE
kube-system   kube-dns   ClusterIP      10.96.0.10   <none>         53/UDP,53/TCP   3y
shop          web        NodePort       10.96.20.1   <none>         80:30080/TCP    3y
shop          shops      LoadBalancer   10.96.20.7   203.0.113.5    443:30443/TCP   3y
"""
HALF = {"probability": 0.5, "exact": "1/2"}
UNKNOWN = {"probability": None, "exact": None}


def node(
    tmp_path: Path, ipvs: str = IPVS, sets: str = "", command: str = "ipvsadm -Ln", rules: str = ""
) -> Any:
    """Return a node of which commands were pasted from a terminal."""
    printed = {"iptables-save": rules, "ipset save": sets, command: ipvs}
    text = "".join(f"root@node-1:~# {asked}\n{said}" for asked, said in printed.items() if said)
    path = tmp_path / "node.txt"
    path.write_text(f"{text}root@node-1:~# \n")
    return iptviz.load_node(str(path))


def names(tmp_path: Path) -> str:
    path = tmp_path / "services.txt"
    path.write_text(LIST)
    return str(path)


def asked_for(*words: str) -> str:
    done = CliRunner().invoke(app, ["trace", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def said(result: Any) -> str:
    return "\n".join(sentences(result.notes))


def test_services_are_listed_from_ipvsadm_alone(tmp_path: Path) -> None:
    path = tmp_path / "ipvsadm.txt"
    path.write_text(IPVS)
    found = iptviz.services(iptviz.load_node(str(path)), sort="line")
    assert [port.name for port in found.services] == [
        "10.96.20.1:80/tcp", "192.168.1.10:30080/tcp", "127.0.0.1:30080/tcp", "10.96.20.7:443/tcp",
        "10.96.0.10:53/udp", "203.0.113.5:443/tcp", "198.51.100.1:443/tcp",
    ]  # fmt: skip
    assert [port.name for port in found.others[0].services] == ["[fd00::a]:80/tcp"]
    document = found.to_dict()
    assert document["dump"] == {
        "source": str(path), "family": "ipv4", "tool": "ipvsadm", "backend": None, "mode": "ipvs",
        "tables": [], "rules": 0, "complete": True,
    }  # fmt: skip
    web = document["services"][0]
    assert web["chain"] is None
    assert web["endpoints"] == [
        {"address": "10.244.0.5", "port": 8080, **HALF},
        {"address": "10.244.1.6", "port": 8080, **HALF},
    ]
    assert web["session_affinity"] == {"seconds": 10800}
    assert web["frontends"] == [
        {
            "kind": "virtual-server", "address": "10.96.20.1", "port": 80, "protocol": "tcp", "line": 4,
            "addresses": None, "reached": None,
        }
    ]  # fmt: skip
    assert web["masquerade"] is None
    assert web["policy"] == {"internal": None, "external": None}
    assert web["scheduler"] == "rr"
    assert document["era"]["mode"] == "ipvs"
    assert "was not looked at" in said(found)
    assert "1 virtual server of a firewall mark" in said(found)
    assert "does not name services" in said(found)


def test_both_commands_say_the_same(tmp_path: Path) -> None:
    shares = [Fraction(1, 2), Fraction(1, 2), 0]
    for ipvs, command in ((IPVS, "ipvsadm -Ln"), (SAVED, "ipvsadm -Sn")):
        found = iptviz.trace(node(tmp_path, ipvs, command=command), "10.96.20.1:80")
        assert [end.share for end in found.services[0].usual.endpoints] == shares


def test_sets_tell_the_kinds(tmp_path: Path) -> None:
    found = iptviz.services(node(tmp_path, sets=SETS))
    kinds = {one["address"]: one["kind"] for port in found.to_dict()["services"] for one in port["frontends"]}
    assert kinds == {
        "10.96.20.1": "cluster-ip",
        "10.96.20.7": "cluster-ip",
        "10.96.0.10": "cluster-ip",
        "198.51.100.1": "external-ip",
        "203.0.113.5": "load-balancer-ip",
        None: "node-port",
        "fd00::a": "cluster-ip",
    }
    policies = {
        port["frontends"][0]["address"]: port["policy"]["external"] for port in found.to_dict()["services"]
    }
    assert (policies["203.0.113.5"], policies["10.96.20.1"]) == ("Local", None)


def test_a_node_port_is_one_frontend_at_several_addresses(tmp_path: Path) -> None:
    given = node(tmp_path, sets=SETS)
    (asked,) = iptviz.trace(given, ":30080").to_dict()["services"]
    assert asked["frontend"]["addresses"] == {"only": ["192.168.1.10", "127.0.0.1"]}
    assert [end["exact"] for end in asked["endpoints"]] == ["1/4", "3/4"]
    (there,) = iptviz.trace(given, "127.0.0.1:30080").to_dict()["services"]
    assert (there["frontend"]["address"], there["frontend"]["line"]) == (
        "127.0.0.1",
        asked["frontend"]["line"] + 3,
    )


def test_node_ports_that_differ_are_told_apart(tmp_path: Path) -> None:
    changed = IPVS.replace(
        "10.244.1.6:8080              Masq    3", "10.244.1.6:8080              Masq    1", 1
    )
    found = iptviz.trace(node(tmp_path, changed, SETS), ":30080").to_dict()["services"]
    assert [[end["exact"] for end in one["endpoints"]] for one in found] == [["1/2", "1/2"], ["1/4", "3/4"]]


def test_a_list_of_services_names_them(tmp_path: Path) -> None:
    given = node(tmp_path, sets=SETS)
    found = iptviz.services(given, names=names(tmp_path))
    assert [port.name for port in found.services] == [
        "kube-system/kube-dns", "shop/shops", "shop/web", "198.51.100.1:443/tcp",
    ]  # fmt: skip
    shops, web = found.to_dict()["services"][1:3]
    assert web["service"] == {"namespace": "shop", "name": "web", "port_name": "", "named_by": "list"}
    assert [one["kind"] for one in web["frontends"]] == ["cluster-ip", "node-port"]
    assert [one["kind"] for one in shops["frontends"]] == ["cluster-ip", "load-balancer-ip"]
    traced = iptviz.trace(given, "shop/web", names=names(tmp_path)).to_dict()["services"]
    assert [one["frontend"]["kind"] for one in traced] == ["cluster-ip", "node-port"]
    (also,) = iptviz.trace(given, "10.96.20.1", names=names(tmp_path)).to_dict()["services"][0]["also"]
    assert (also["kind"], also["port"]) == ("node-port", 30080)


def test_without_a_list_no_name_is_found_and_that_is_said(tmp_path: Path) -> None:
    found = iptviz.trace(node(tmp_path), "shop/web")
    assert not found.services
    assert "ipvsadm does not name services" in said(found)


def test_trace_tells_weights_and_forwarding_and_no_paths(tmp_path: Path) -> None:
    found = iptviz.trace(node(tmp_path, sets=SETS), "10.96.20.1:80")
    (web,) = found.to_dict()["services"]
    assert "paths" not in web
    assert (web["chain"], web["masquerade"], web["scheduler"], web["verdict"]) == (None, None, "rr", None)
    assert web["leftover"] == {"probability": 0.0, "exact": "0/1"}
    ends = [
        (end["address"], end["exact"], end["weight"], end["forwarding"], end["chain"])
        for end in web["endpoints"]
    ]
    assert ends == [
        ("10.244.0.5", "1/2", 1, "masq", None),
        ("10.244.1.6", "1/2", 1, "masq", None),
        ("10.244.1.7", "0/1", 0, "masq", None),
    ]
    assert "10.244.1.7:8080 of tcp 10.96.20.1:80 has weight 0" in said(found)


def test_what_a_scheduler_picks_by_load_or_address_is_no_share(tmp_path: Path) -> None:
    given = node(tmp_path, sets=SETS)
    found = iptviz.trace(given, "10.96.20.7")
    (shops,) = found.to_dict()["services"]
    assert all(end["probability"] is None and end["exact"] is None for end in shops["endpoints"])
    assert shops["leftover"] == UNKNOWN
    assert "scheduler sh: by the client's address" in said(found)
    assert "sent through a tunnel to 10.244.1.6:8080" in said(found)
    (listed,) = [port for port in iptviz.services(given).to_dict()["services"] if port["scheduler"] == "sh"]
    assert [end["exact"] for end in listed["endpoints"]] == [None, None]
    assert listed["balance"] is None


@pytest.mark.parametrize(("target", "line"), [("10.96.0.10", 17), ("198.51.100.1", 20)])
def test_without_a_server_that_takes_connections_ipvs_refuses_them(
    tmp_path: Path, target: str, line: int
) -> None:
    path = tmp_path / "ipvsadm.txt"
    path.write_text(IPVS)
    found = iptviz.trace(iptviz.load_node(str(path)), target)
    (asked,) = found.to_dict()["services"]
    assert asked["verdict"]["kind"] == "REJECT"
    assert (asked["verdict"]["with"], asked["verdict"]["line"]) == ("icmp-port-unreachable", line)
    assert asked["leftover"] == {"probability": 1.0, "exact": "1/1"}
    failing = iptviz.services(iptviz.load_node(str(path)), failing=True)
    assert [port.name for port in failing.services] == ["10.96.0.10:53/udp", "198.51.100.1:443/tcp"]


def test_an_endpoint_is_found_with_what_it_gets(tmp_path: Path) -> None:
    found = iptviz.trace(node(tmp_path, sets=SETS), "10.244.1.6:8080").to_dict()["services"]
    shares = {one["frontend"]["port"]: one["target_share"]["exact"] for one in found}
    assert shares == {80: "1/2", 30080: "3/4", 443: None}


def test_what_grep_left_is_no_share(tmp_path: Path) -> None:
    rows = "\n".join(IPVS.split("\n")[3:5]) + "\n"
    found = iptviz.trace(node(tmp_path, rows, command="ipvsadm -Ln | grep -A1 10.96.20.1"), "10.96.20.1")
    (web,) = found.to_dict()["services"]
    assert found.to_dict()["dump"]["complete"] is False
    assert web["endpoints"][0]["exact"] is None
    assert "may be incomplete" in said(found)
    empty = iptviz.trace(
        node(tmp_path, rows.split("\n")[0] + "\n", command="ipvsadm -Ln | grep 10.96.20.1"), "10.96.20.1"
    )
    assert empty.services[0].usual.verdict is None


def test_statistics_show_no_scheduler_and_so_no_shares(tmp_path: Path) -> None:
    text = (
        IPVS.split("TCP", maxsplit=1)[0]
        + "TCP  10.96.20.1:80  12 84 72 6K 9123\n  -> 10.244.0.5:8080  6 42 36 3K 4561\n"
    )
    found = iptviz.trace(node(tmp_path, text, command="ipvsadm -Ln --stats"), "10.96.20.1")
    (web,) = found.to_dict()["services"]
    assert (web["scheduler"], web["endpoints"][0]["exact"], web["endpoints"][0]["weight"]) == (
        None,
        None,
        None,
    )
    assert "scheduler not shown" in said(found)


def test_beside_a_dump_of_ipvs_mode_ipvsadm_goes_first(tmp_path: Path) -> None:
    given = node(tmp_path, sets=SETS, rules=RULES)
    assert iptviz.services(given).to_dict()["dump"]["tool"] == "ipvsadm"
    assert iptviz.trace(given, "10.96.20.1").services[0].usual.endpoints
    absent = iptviz.trace(given, "10.96.99.9")
    assert not absent.services
    assert "no service matches" in said(absent)


def test_names_in_place_of_numbers_are_counted(tmp_path: Path) -> None:
    text = (
        "-A -t kube-dns.kube-system:domain -s rr\n-a -t kube-dns.kube-system:domain -r pod-1:domain -m -w 1\n"
    )
    found = iptviz.services(node(tmp_path, text, command="ipvsadm -S"))
    assert found.total == 0
    assert "with names in place of numbers" in said(found)


def test_what_is_no_output_of_ipvsadm_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "ipvsadm.txt"
    path.write_text(IPVS + "nonsense\n")
    with pytest.raises(DumpError, match="neither a virtual nor a real server"):
        iptviz.services(iptviz.load_node(str(path)))


def test_questions_about_rules_need_rules(tmp_path: Path) -> None:
    path = tmp_path / "ipvsadm.txt"
    path.write_text(IPVS)
    for question in (iptviz.check, lambda given: iptviz.packet(given, dst="10.96.20.1")):
        with pytest.raises(DumpError, match="no iptables rules found, only ipvsadm -Ln"):
            question(iptviz.load_node(str(path)))


@pytest.mark.parametrize("form", ["tree", "json", "csv", "dot", "mermaid", "html", "markdown"])
def test_every_format_shows_a_virtual_server(tmp_path: Path, form: str) -> None:
    path = tmp_path / "ipvsadm.txt"
    path.write_text(IPVS)
    shown = CliRunner().invoke(app, ["trace", "10.96.20.1", str(path), "-f", form])
    assert shown.exit_code == 0, shown.output
    assert "10.244.1.6" in shown.stdout


def test_the_tree_says_how_servers_are_picked(tmp_path: Path) -> None:
    path = tmp_path / "ipvsadm.txt"
    path.write_text(IPVS)
    shown = asked_for("10.96.20.1", str(path), "--ascii")
    assert "round robin, 1 in 2" in shown
    assert "weight 0: no new clients" in shown
    assert "what rules do to these connections was not looked at" in asked_for(
        "10.96.20.1", str(path), "--brief"
    )
    assert "weighted round robin, 3 in 4" in asked_for(":30080", str(path))
    assert "shares not known (scheduler sh: by the client's address)" in asked_for("10.96.20.7", str(path))


def test_pseudonyms_keep_the_shares(tmp_path: Path) -> None:
    path = tmp_path / "ipvsadm.txt"
    path.write_text(IPVS)
    shown = asked_for("10.96.20.1", str(path), "--redact")
    assert "50.00 % each" in shown
    assert not any(own in shown for own in ("10.96.20.1", "10.244.0.5", "192.168.1.10"))
