"""What people hand over by mistake is called what it is, in a line, with what to bring instead."""

from __future__ import annotations

import pytest

from iptviz.errors import DumpError
from iptviz.node.load import load

TRACED = "-4 -t nat -A KUBE-SVC-A -j KUBE-SEP-B"

# What is handed over -> what it is said to be.
FOREIGN: dict[str, str] = {
    f" TRACE: 2 0427ffe5 nat:A:rule:0x4aaa:JUMP:X  {TRACED}": '"xtables-monitor --trace"',
    f" EVENT: {TRACED}\n EVENT: {TRACED}\n EVENT: {TRACED}": '"xtables-monitor"',
    "Nov 2 10:00:00 n kernel: [1.2] TRACE: nat:PREROUTING:rule:1 IN=eth0 OUT= MAC=00": "the kernel's log of TRACE",
    'trace id 6b7f9a5c ip nat PREROUTING packet: iif "eth0" ip saddr 10.0.0.1': '"nft monitor trace"',
    "Bridge table: filter\n\nBridge chain: INPUT, entries: 0, policy: ACCEPT": "the output of ebtables",
    "Status: active\n\nTo                         Action      From\n--                         ------      ----": '"ufw status"',
    "public (active)\n  target: default\n  icmp-block-inversion: no": '"firewall-cmd --list-all"',
    "Netid State  Recv-Q Send-Q Local Address:Port  Peer Address:Port\ntcp   LISTEN 0  128  0.0.0.0:22": "a list of sockets",
    "Proto Recv-Q Send-Q Local Address           Foreign Address": "a list of sockets",
    "NAME         TYPE        CLUSTER-IP   EXTERNAL-IP   PORT(S)   AGE\nkubernetes   ClusterIP   10.96.0.1": "kubectl get",
    "NAMESPACE   NAME   TYPE   CLUSTER-IP   EXTERNAL-IP": "kubectl get",
    "=======\nTotal Number of Rules: 0": "a listing without any chain",
    '{"kind":"ServiceList","apiVersion":"v1","items":[]}': "Kubernetes API objects",
    '{\n  "apiVersion": "v1",\n  "items": []\n}': "Kubernetes API objects",
    "pass in quick on en0 proto tcp from any to any port 22": "rules of pf",
    "00100 allow ip from any to any via lo0": "rules of ipfw",
    "bash: iptables: command not found": "iptables is not installed",
    "iptables v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)": "as root",
}


@pytest.mark.parametrize("text", FOREIGN)
def test_a_text_of_another_kind_is_called_what_it_is(text: str) -> None:
    with pytest.raises(DumpError) as refused:
        load(f"{text}\n".encode())
    assert refused.value.what.startswith("this is ")
    assert FOREIGN[text] in refused.value.what
    assert "\n" not in str(refused.value.what)
    assert refused.value.hint


@pytest.mark.parametrize("prefix", ["", "> ", "2024-11-12T10:11:12Z "])
def test_the_way_of_one_packet_is_no_dump_however_often_it_met_rules(prefix: str) -> None:
    line = f"{prefix} TRACE: 2 0427ffe5 nat:A:rule:0x4aaa:JUMP:X  {TRACED}\n"
    with pytest.raises(DumpError, match="the path of one packet"):
        load((line * 20).encode())


def test_a_dump_goes_before_what_else_stands_there() -> None:
    lines = ["Status: active", "NAME  TYPE  CLUSTER-IP", "*nat", ":A - [0:0]", "-A A -j B", "COMMIT"]
    assert load("".join(f"{line}\n" for line in lines).encode()).rule_count == 1
