"""What an argument may name of a dump: each kind has its own way into pseudonyms."""

from __future__ import annotations

from enum import Enum, auto


class Named(Enum):
    """The kinds of names; an argument that has none may tell anything, and is refused with --redact."""

    NOTHING = auto()  # numbers and switches; a text may tell something
    WORD = auto()  # of iptables or of this program: who reads it refuses any other
    WRITTEN = auto()  # a file to be written
    TARGET = auto()
    ADDRESS = auto()  # or a network, or an endpoint
    DESTINATION = auto()  # an address, or the name of a service
    PACKET = auto()  # source, destination, protocol and port in one text
    INTERFACE = auto()
    NAMESPACE = auto()
    CHAIN = auto()
    MAC = auto()
    NODE = auto()
    CONDITION = auto()
    DUMP = auto()  # the one that is asked, or a bundle with it
    DUMPS = auto()  # the same, in one file or several
    OLDER_DUMP = auto()  # another one of the same node
    CLUSTER = auto()  # files of the API's objects
    SERVICES = auto()  # a file that lists services
    ADDRESS_FILE = auto()  # `ip address`
    ROUTE_FILE = auto()  # `ip route`
    IPSET_FILE = auto()  # `ipset save`
    RECENT_FILE = auto()  # /proc/net/xt_recent
    SYSCTL_FILE = auto()  # `sysctl -a`
    CONNTRACK_FILE = auto()  # `conntrack -L`
    PODS_FILE = auto()  # `kubectl get pods`
    BASELINE = auto()  # a file of fingerprints, which tell nothing


NODE_FILES = (
    Named.ADDRESS_FILE,
    Named.ROUTE_FILE,
    Named.IPSET_FILE,
    Named.RECENT_FILE,
    Named.SYSCTL_FILE,
    Named.CONNTRACK_FILE,
    Named.PODS_FILE,
)
"""Texts about the node: a range of addresses in them must be a range in pseudonyms, too."""

INPUTS = (
    Named.DUMP,
    Named.DUMPS,
    Named.OLDER_DUMP,
    Named.CLUSTER,
    Named.SERVICES,
    Named.BASELINE,
    *NODE_FILES,
)
"""Files that are read: what is typed is a name of one, or several, and no command writes there."""
