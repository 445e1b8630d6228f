"""What a rule says of a frontend is told from its text where it is plain: the same as its parts say."""

from __future__ import annotations

import iptviz
from iptviz.dump.model import Dump
from iptviz.kube.dispatching import _about, dispatching_rules
from iptviz.kube.frontends import frontend_of, host_of, port_of, unprinted_port
from tests import kubeproxy
from tests.conftest import ROOT

ODD = """*nat
-A KUBE-SERVICES ! -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-A
-A KUBE-SERVICES -d 10.96.0.0/24 -p tcp -m tcp --dport 80 -j KUBE-SVC-A
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp ! --dport 80 -j KUBE-SVC-A
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 80:90 -j KUBE-SVC-A
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 99999 -j KUBE-SVC-A
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "-d 10.96.0.2/32 --dport 81" -m tcp --dport 80 -j KUBE-SVC-A
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-A -m comment --comment late
-A KUBE-SERVICES -s 10.0.0.1/32 -d 10.96.0.1/32 -p udp -m udp --dport 53 -j KUBE-SVC-A
-A KUBE-NODEPORTS -d 127.0.0.0/8 -p tcp -m tcp --dport 30080 -j KUBE-EXT-A
-A KUBE-NODEPORTS -d 10.0.0.9/32 -p tcp -m tcp --dport 30080 -j KUBE-EXT-A
COMMIT
"""


def agreeing(dump: Dump) -> int:
    """Compare both ways of all dispatching rules. How many were plain."""
    plain = 0
    for rule in dispatching_rules(dump):
        about = _about(rule)
        assert (about.address, about.port) == (host_of(rule), port_of(rule) or unprinted_port(rule)), (
            rule.text
        )
        frontend = frontend_of(rule) if about.target else None
        if frontend is not None:
            assert about[:3] == frontend[1:4], rule.text
        plain += bool(about.target)
    return plain


def test_both_ways_agree_on_the_fixtures() -> None:
    paths = sorted((ROOT / "fixtures").rglob("*.rules"))
    assert sum(agreeing(dump) for path in paths for dump in iptviz.load_all(str(path))[0]) > 500


def test_both_ways_agree_on_what_kube_proxy_writes_and_on_odd_rules() -> None:
    for era in (kubeproxy.OLD, kubeproxy.NEW):
        assert agreeing(Dump(kubeproxy.saved(kubeproxy.numbered(20, 3, era=era)).encode())) > 20
    assert agreeing(Dump(ODD.encode())) == 1
