"""A service's name for the destination of a packet."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

import iptviz
from iptviz.checks.wording import sentences
from iptviz.errors import AbsentError, PacketError
from tests.conftest import FIXTURES
from tests.kubeproxy import Cluster, Service, saved
from tests.program import run

DUMP = str(FIXTURES / "httpd-service" / "dump.rules")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"dst": "default/httpd-service"}, {"dst": "10.97.13.198", "dport": 79, "protocol": "tcp"}),
        ({"dst": "httpd-service"}, {"dst": "10.97.13.198", "dport": 79, "protocol": "tcp"}),
        ({"dst": "httpd-service", "dport": 79}, {"dst": "10.97.13.198", "dport": 79, "protocol": "tcp"}),
        ({"dst": "httpd-service", "dport": 80}, {"dst": "10.97.13.198", "dport": 80, "protocol": None}),
        (
            {"dst": "httpd-service", "protocol": "udp"},
            {"dst": "10.97.13.198", "dport": None, "protocol": "udp"},
        ),
        (
            {"dst": "httpd-service", "icmp_type": "8"},
            {"dst": "10.97.13.198", "dport": None, "protocol": "icmp"},
        ),
        ({"dst": "kube-system/kube-dns"}, {"dst": "10.96.0.10", "dport": None, "protocol": None}),
        ({"dst": "httpd-service.default:79"}, {"dst": "10.97.13.198", "dport": 79, "protocol": "tcp"}),
        ({"dst": "kube-dns:metrics"}, {"dst": "10.96.0.10", "dport": 9153, "protocol": "tcp"}),
        ({"dst": "kube-dns:53"}, {"dst": "10.96.0.10", "dport": 53, "protocol": None}),
        ({"dst": "kube-dns:53", "protocol": "udp"}, {"dst": "10.96.0.10", "dport": 53, "protocol": "udp"}),
        ({"dst": "udp://kube-dns.kube-system:53"}, {"dst": "10.96.0.10", "dport": 53, "protocol": "udp"}),
        ({"dst": "svc/kube-dns", "dport": "domain"}, {"dst": "10.96.0.10", "dport": 53, "protocol": None}),
    ],
)
def test_a_name_is_read_as_its_cluster_ip(said: dict[str, Any], expected: dict[str, Any]) -> None:
    result = iptviz.packet(iptviz.load(DUMP), **said)
    packet = result.to_dict()["packet"]
    assert {name: packet[name] for name in expected} == expected
    assert any(f"as its cluster IP, {expected['dst']}" in note for note in sentences(result.notes))


def test_a_service_with_one_port_is_asked_at_that_and_what_is_wrong_with_it_is_found() -> None:
    dump = str(FIXTURES / "ways/reported/31-forward-drop-first.rules")
    done = run("packet", dump, "--dst", "shop/web", "--src", "10.244.1.9")
    assert "note: reading shop/web as its cluster IP, 10.97.20.77:80, its only port (tcp)" in done.stdout
    assert re.search(r"^Finding +high: ", done.stdout, re.MULTILINE)
    assert "(iptviz explain forward-drop)" in done.stdout


def test_a_name_that_nothing_has_is_absent() -> None:
    done = run("packet", DUMP, "--dst", "default/nobody")
    assert (done.returncode, done.stdout) == (1, "")
    assert 'no service with a cluster IP matches "default/nobody" in this dump' in done.stderr
    assert run("packet", DUMP, "--dst", "nobody").returncode == 2
    with pytest.raises(AbsentError):
        iptviz.packet(iptviz.load(DUMP), dst="nobody.default.svc.cluster.local")


def test_a_name_of_several_services_is_refused() -> None:
    services = tuple(
        Service("web", f"10.97.20.{number}", (("10.244.0.5", 80),), namespace=name)
        for number, name in enumerate(("a", "b"), 1)
    )
    with pytest.raises(PacketError, match="matches several services") as raised:
        iptviz.packet(iptviz.load(saved(Cluster(services)).encode()), dst="web")
    assert raised.value.hint == "pick one: a/web, b/web"


def test_two_ports_are_refused() -> None:
    with pytest.raises(PacketError, match="differ"):
        iptviz.packet(iptviz.load(DUMP), dst="httpd-service:79", dport=80)


def test_in_pseudonyms_it_is_the_same() -> None:
    asked = ("packet", DUMP, "--dst", "httpd-service.default:79", "--json")
    plain, hidden = (json.loads(run(*asked, *more).stdout) for more in ((), ("--redact",)))
    assert [one["exact"] for one in plain["outcomes"]] == [one["exact"] for one in hidden["outcomes"]]
    assert "httpd" not in json.dumps(hidden)
