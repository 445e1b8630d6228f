"""Real dumps, read by eye: every service port, its frontends and its endpoints."""

from __future__ import annotations

import pytest

import iptviz
from tests.conftest import SHARED

GKE = {
    "default/kubernetes:https": "tcp 10.83.240.1:443 -> 23.251.134.151:443",
    "kube-system/default-http-backend:http": "tcp 10.83.242.211:80 :31291 -> 10.80.0.4:8080",
    "kube-system/heapster": "tcp 10.83.247.155:80 -> 10.80.0.6:8082",
    "kube-system/kube-dns:dns": "udp 10.83.240.10:53 -> 10.80.0.5:53",
    "kube-system/kube-dns:dns-tcp": "tcp 10.83.240.10:53 -> 10.80.0.5:53",
    "kube-system/kubernetes-dashboard": "tcp 10.83.254.147:80 -> 10.80.0.3:9090",
}
BY_EYE = {
    "gke-1.2-before": GKE,
    "gke-1.2-after": {
        **GKE,
        "default/apache": "tcp 10.83.252.143:80 130.211.80.214:80 :32230 -> 10.80.0.8:80",
        "default/nginx": "tcp 10.83.252.224:80 146.148.10.228:80 :30007 -> 10.80.0.7:80",
    },
    "weave-2018-ipset": {
        "default/kubernetes:https": "tcp 10.96.0.1:443 -> 192.168.1.241:6443",
        "kube-system/kube-dns:dns": "udp 10.96.0.10:53 -> 10.32.0.2:53 10.32.0.3:53",
        "kube-system/kube-dns:dns-tcp": "tcp 10.96.0.10:53 -> 10.32.0.2:53 10.32.0.3:53",
    },
    "k8s-1.32-flannel-one-node": {
        "default/kubernetes:https": "tcp 10.96.0.1:443 -> 172.31.7.91:6443",
        "kube-system/kube-dns:dns": "udp 10.96.0.10:53 -> 10.244.0.2:53 10.244.0.3:53",
        "kube-system/kube-dns:dns-tcp": "tcp 10.96.0.10:53 -> 10.244.0.2:53 10.244.0.3:53",
        "kube-system/kube-dns:metrics": "tcp 10.96.0.10:9153 -> 10.244.0.2:9153 10.244.0.3:9153",
    },
    "k3s-grep-filtered": {
        "default/kubernetes:https": "tcp 10.43.0.1:443 -> 192.168.1.105:6443",
        "default/redis": "tcp 10.43.111.105:6379 -> 10.42.0.11:6379",
        "default/registry": "tcp 10.43.188.231:5000 :30500 -> 10.42.0.10:5000",
        "default/sumnivore": "tcp 10.43.11.157:80 -> 10.42.0.32:3000",
        "default/sumnivore-bun": "tcp 10.43.112.136:80 -> ? KUBE-SEP-TVJD5O64HPGUK6P4",
        "default/tuby:http": "tcp 10.43.158.42:80 :30080 -> ? rules of KUBE-SVC-R462G7DIGADMZDEZ",
        "default/tuby-dlna:dlna-udp": "udp 10.43.181.51:1900 :32197 -> ? KUBE-SEP-PQ2LHDKKDGM72FNX",
        "default/ytdl": "tcp 10.43.63.99:80 -> 10.42.0.54:3000",
        "kube-system/kube-dns:dns": "udp 10.43.0.10:53 -> 10.42.0.7:53",
        "kube-system/kube-dns:dns-tcp": "tcp 10.43.0.10:53 -> ? KUBE-SEP-SPW6OHKWQYLI5PJR",
        "kube-system/kube-dns:metrics": "tcp 10.43.0.10:9153 -> 10.42.0.7:9153",
        "kube-system/metrics-server:https": "tcp 10.43.151.224:443 -> 10.42.0.5:10250",
        "kube-system/traefik:web": "tcp 10.43.85.149:80 :32080 -> ? KUBE-SEP-STZ7NNWKXWLGBLCX",
        "kube-system/traefik:websecure": "tcp 10.43.85.149:443 :32443 -> ? KUBE-SEP-ZJH4LVE7MEUKNZQS",
    },
}


@pytest.mark.skipif(not SHARED.exists(), reason="the corpus is not here")
@pytest.mark.parametrize("name", BY_EYE)
def test_services_of_a_real_dump_are_those_that_one_reads_in_it(name: str) -> None:
    dump = iptviz.load(str(SHARED / f"kubernetes/{name}.rules"))
    found = {}
    for one in iptviz.services(dump).services:
        frontends = " ".join(answer.frontend.text.removesuffix(f"/{one.protocol}") for answer in one.answers)
        ends = {
            " ".join(f"{end.address}:{end.port}" for end in answer.endpoints)
            or f"? {' '.join(answer.unseen)}"
            for answer in one.answers
        }
        found[one.name] = f"{one.protocol} {frontends} -> {' or '.join(ends)}"
    assert found == BY_EYE[name]
