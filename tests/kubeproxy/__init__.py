"""A generator of kube-proxy dumps of every era, with its own truth about every share and every client.

It writes what a release of kube-proxy would have written, in the very form in which iptables-save prints it, so
that a dump loaded into a kernel and saved again comes back line by line. The truth is computed from what is
documented of the release; none of the program's code is used.
"""

from tests.kubeproxy.cluster import Cluster, Service, basics, numbered
from tests.kubeproxy.eras import ERAS, NEW, OLD, Era
from tests.kubeproxy.words import chain_hash, kernel_chance
from tests.kubeproxy.writer import saved

__all__ = [
    "ERAS",
    "NEW",
    "OLD",
    "Cluster",
    "Era",
    "Service",
    "basics",
    "chain_hash",
    "kernel_chance",
    "numbered",
    "saved",
]
