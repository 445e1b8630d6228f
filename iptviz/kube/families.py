"""Families of chains: what a chain's name says of it, one row for each family.

Sources: kube-proxy's pkg/proxy/iptables/proxier.go, pkg/proxy/ipvs/proxier.go and (to 1.25) pkg/proxy/userspace;
kubelet's pkg/kubelet/kubelet_network_linux.go; dockershim's hostport_manager.go (to 1.23); the plug-in portmap;
antrea's pkg/agent/route; amazon-vpc-cni-k8s' pkg/networkutils; the constants of submariner's globalnet and
routeagent_driver; linkerd2-proxy-init's iptables.go; kuma's transparentproxy; consul's sdk/iptables;
libvirt's viriptables.c; cs-firewall-bouncer's pkg/iptables; kind's kindnetd/masq.go; firewalld's ipXtables.py;
and what the other programs' own dumps show. A release is of Kubernetes 1.x; 0 is one that nobody read.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Literal

from iptviz.kube.releases import NEWEST, Releases, releases
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

Role = Literal[
    "hook", "dispatch", "refusal", "health checks", "entry", "firewall", "balancing", "local balancing",
    "endpoint", "mark to masquerade", "mark to drop", "masquerade", "forward", "filter", "canary", "publish",
    "other",
]  # fmt: skip
"""What the rules of a chain are for."""

Ending = Literal["", "service hash", "endpoint hash", "interface", "name", "any"]
"""What follows a family's name in a chain's: nothing, a hash of kube-proxy's, an interface, what a writer
calls one thing of many (a pod, a policy), or anything, of which nothing more is known."""


class Writer(NamedTuple):
    """A program that writes chains; `publisher` is what answers call it where it publishes ports, if they do."""

    name: str
    publisher: str = ""


KUBE_PROXY, IPVS = Writer("kube-proxy"), Writer("kube-proxy, IPVS mode")
USERSPACE = Writer("kube-proxy, userspace mode", "kube-proxy, userspace mode")
KUBELET, DOCKERSHIM = Writer("kubelet"), Writer("dockershim", "dockershim host port")
CNI, DOCKER = Writer("CNI plug-in", "CNI host port"), Writer("Docker", "Docker")
PODMAN, OVN = Writer("Podman", "Podman"), Writer("OVN-Kubernetes", "OVN-Kubernetes")
CALICO, CILIUM = Writer("Calico", "Calico"), Writer("Cilium", "Cilium")
ISTIO, KUBE_ROUTER = Writer("Istio", "Istio"), Writer("kube-router", "kube-router")
AZURE, ANTREA, SUBMARINER = Writer("Azure NPM"), Writer("Antrea"), Writer("Submariner")
AWS, KIND = Writer("AWS VPC CNI"), Writer("kind")
LINKERD, KUMA, CONSUL = Writer("Linkerd", "Linkerd"), Writer("Kuma", "Kuma"), Writer("Consul", "Consul")
RANCHER, MINIUPNPD = Writer("Rancher", "Rancher"), Writer("miniupnpd", "miniupnpd")
LIBVIRT, CROWDSEC, SSHUTTLE, NETBIRD = map(Writer, ("libvirt", "CrowdSec", "sshuttle", "NetBird"))
OPENSHIFT, FLANNEL, WEAVE = Writer("OpenShift", "OpenShift"), Writer("flannel"), Writer("Weave Net")
KERNEL, UFW, FAIL2BAN, TAILSCALE, FIREWALLD, SHOREWALL, MASQ_AGENT, PEOPLE = map(
    Writer,
    ("the kernel", "ufw", "fail2ban", "Tailscale", "firewalld", "shorewall", "ip-masq-agent", "people"),
)


class Family(NamedTuple):
    """Chains of one meaning.

    `name` is a whole name, or the beginning of one that ends as `ends_in` says; braces stand for one of several
    words. `tables` are those that it stands in. `frontend` is the kind of frontend whose connections meet the
    chain, where that is one kind. `bits` are those that it sets in the mark by default (kube-proxy's
    --iptables-masquerade-bit, kubelet's --iptables-drop-bit). `first` and `last` are the releases that write it.
    """

    name: str
    tables: str
    writer: Writer
    role: Role
    meaning: str
    ends_in: Ending = ""
    frontend: str = ""
    bits: int = 0
    first: int = 0
    last: int = NEWEST

    @property
    def names(self) -> tuple[str, ...]:
        """The family's name, or each of them where it has braces."""
        return tuple(_expanded(self.name))

    @property
    def releases(self) -> Releases:
        """The releases that write it; all up to the last where the first is not known."""
        return releases((self.first, self.last))


def _expanded(name: str) -> Iterator[str]:
    """Yield what a shell would make of braces that are not nested."""
    pieces = [piece.split(",") for part in name.split("{") for piece in (part.split("}", 1))]
    fixed = [piece if at % 2 else [",".join(piece)] for at, piece in enumerate(pieces)]
    yield from map("".join, product(*fixed))


SERVICES, NODE_PORTS = "KUBE-SERVICES", "KUBE-NODEPORTS"
MARK_MASQUERADE, MARK_DROP = "KUBE-MARK-MASQ", "KUBE-MARK-DROP"
CLUSTER_CHAIN, EXTERNAL_CHAIN = "KUBE-SVC-", "KUBE-EXT-"
EXTERNAL_SERVICES = "KUBE-EXTERNAL-SERVICES"
SOURCE_RANGES = "KUBE-PROXY-FIREWALL"
POSTROUTING = "KUBE-POSTROUTING"
"""Where kube-proxy masquerades what is marked."""
FIREWALL_CHAIN, ENDPOINT_CHAIN = "KUBE-FW-", "KUBE-SEP-"
PROXY_CANARY, KUBELET_CANARY, IPVS_NODE_PORT = "KUBE-PROXY-CANARY", "KUBE-KUBELET-CANARY", "KUBE-NODE-PORT"

FAMILIES = (
    Family("PREROUTING", "raw mangle nat", KERNEL, "hook", "arriving packets"),
    Family("INPUT", "mangle nat filter security", KERNEL, "hook", "packets to this node"),
    Family("FORWARD", "mangle filter security", KERNEL, "hook", "forwarded packets"),
    Family("OUTPUT", "raw mangle nat filter security", KERNEL, "hook", "locally generated packets"),
    Family("POSTROUTING", "mangle nat", KERNEL, "hook", "leaving packets"),
    # kube-proxy's iptables mode
    Family(SERVICES, "nat", KUBE_PROXY, "dispatch", "finds the service of an address and port", first=1),
    Family(NODE_PORTS, "nat", KUBE_PROXY, "dispatch", "finds the service of a node port", "", "node-port",
           first=1),
    Family(SERVICES, "filter", KUBE_PROXY, "refusal", "refuses cluster IPs without endpoints", "", "cluster-ip",
           first=2),
    Family(EXTERNAL_SERVICES, "filter", KUBE_PROXY, "refusal",
           "refuses external addresses and node ports without endpoints", "", "external-ip", first=10),
    Family(SOURCE_RANGES, "filter", KUBE_PROXY, "refusal",
           "drops sources outside loadBalancerSourceRanges", "", "load-balancer-ip", first=25),
    Family(NODE_PORTS, "filter", KUBE_PROXY, "health checks", "accepts health checks of load balancers",
           first=21),
    Family(CLUSTER_CHAIN, "nat", KUBE_PROXY, "balancing", "balances over all endpoints",
           "service hash", "cluster-ip", first=1),
    Family("KUBE-SVL-", "nat", KUBE_PROXY, "local balancing",
           "balances over local endpoints",
           "service hash", "cluster-ip", first=24),
    Family("KUBE-XLB-", "nat", KUBE_PROXY, "local balancing",
           "balances external connections over local endpoints", "service hash", "external-ip",
           first=4, last=23),
    Family(EXTERNAL_CHAIN, "nat", KUBE_PROXY, "entry",
           "handles external addresses and node ports",
           "service hash", "external-ip", first=24),
    Family(FIREWALL_CHAIN, "nat", KUBE_PROXY, "firewall", "checks loadBalancerSourceRanges",
           "service hash", "load-balancer-ip", first=4),
    Family(ENDPOINT_CHAIN, "nat", KUBE_PROXY, "endpoint", "DNAT to one endpoint",
           "endpoint hash", first=1),
    Family(MARK_MASQUERADE, "nat", KUBE_PROXY, "mark to masquerade", "marks packets for masquerade", "", "",
           0x4000, 2),
    Family(POSTROUTING, "nat", KUBE_PROXY, "masquerade", "masquerades marked packets", first=2),
    Family("KUBE-FORWARD", "filter", KUBE_PROXY, "forward", "accepts forwarded service traffic", first=8),
    Family(PROXY_CANARY, "nat filter mangle", KUBE_PROXY, "canary", "canary: reveals a flush of the rules",
           first=17),
    # kubelet
    Family(MARK_DROP, "nat", KUBELET, "mark to drop", "marks packets to drop", "", "", 0x8000, 4, 27),
    Family("KUBE-FIREWALL", "filter nat", KUBELET, "filter",
           "drops marked packets, and loopback addresses from outside",
           first=4),
    Family(KUBELET_CANARY, "nat filter mangle", KUBELET, "canary", "canary: reveals a flush of the rules",
           first=17),
    Family("KUBE-IPTABLES-HINT", "mangle", KUBELET, "canary", "shows which backend is in use", first=24),
    # kube-proxy's other modes, and dockershim
    Family(IPVS_NODE_PORT, "nat filter", IPVS, "dispatch", "matches sets of node ports", "", "node-port",
           first=8),
    Family("KUBE-LOAD-BALANCER", "nat", IPVS, "mark to masquerade", "masquerades load-balancer traffic"),
    Family("KUBE-SOURCE-RANGES-FIREWALL", "filter", IPVS, "firewall", "checks loadBalancerSourceRanges",
           first=25),
    Family("KUBE-IPVS-FILTER", "filter", IPVS, "refusal", "refuses other ports of services' addresses",
           first=26),
    Family("KUBE-IPVS-OUT-FILTER", "filter", IPVS, "refusal", "refuses other ports to the node itself",
           first=29),
    Family("KUBE-PORTALS-{CONTAINER,HOST}", "nat", USERSPACE, "dispatch",
           "sends service addresses to kube-proxy's own ports",
           first=1, last=25),
    Family("KUBE-NODEPORT-{CONTAINER,HOST}", "nat", USERSPACE, "dispatch",
           "sends node ports to kube-proxy's own ports",
           "", "node-port", first=1, last=25),
    Family("KUBE-NODEPORT-NON-LOCAL", "filter", USERSPACE, "filter", "accepts node ports from outside", first=1,
           last=25),
    Family("KUBE-HOSTPORTS", "nat", DOCKERSHIM, "dispatch", "finds the pod of a host port", last=23),
    Family("KUBE-HP-", "nat", DOCKERSHIM, "publish", "sends a host port to a pod", "name", last=23),
    # programs that publish ports or write networks' rules
    Family("CNI-HOSTPORT-{DNAT,MASQ,SETMARK,SNAT}", "nat", CNI, "publish",
           "finds the pod of a host port (portmap)"),
    Family("CNI-{DN,SN}-", "nat", CNI, "publish", "the host ports of one pod (portmap)", "name"),
    Family("CNI-{FORWARD,ADMIN}", "filter", CNI, "forward", "accepts pod traffic (firewall)"),
    Family("CNI-", "nat", CNI, "masquerade", "masquerades traffic of a pod (bridge and others)", "any"),
    Family("NETAVARK-HOSTPORT-{DNAT,MASQ,SETMARK}", "nat", PODMAN, "publish", "finds the container of a port"),
    Family("NETAVARK-DN-", "nat", PODMAN, "publish", "sends published ports to containers", "name"),
    Family("NETAVARK_{FORWARD,INPUT}", "filter", PODMAN, "forward", "accepts container traffic"),
    Family("NETAVARK-", "nat filter", PODMAN, "other", "Podman network", "any"),
    Family("OVN-KUBE-{NODEPORT,EXTERNALIP,ETP,ITP}", "nat", OVN, "publish",
           "sends node ports and external addresses into OVN"),
    Family("OVN-KUBE-", "raw mangle nat filter", OVN, "other", "other OVN-Kubernetes chain", "any"),
    Family("DOCKER", "nat filter", DOCKER, "publish", "sends published ports to containers"),
    Family("DOCKER-{USER,FORWARD,BRIDGE,CT,INTERNAL,INGRESS,ISOLATION,"
           "ISOLATION-STAGE-1,ISOLATION-STAGE-2}",
           "filter nat",
           DOCKER, "forward", "isolates container networks"),
    Family("DOCKER_{OUTPUT,POSTROUTING}", "nat", DOCKER, "publish", "sends DNS of a container to Docker"),
    Family("DOCKER", "nat filter", DOCKER, "other", "other Docker chain", "any"),
    Family("cali-{PREROUTING,INPUT,FORWARD,OUTPUT,POSTROUTING,nat-outgoing,fip-dnat,fip-snat,failsafe-in,"
           "failsafe-out,set-endpoint-mark,wl-to-host,forward-check,forward-endpoint-mark,cidr-block,rpf-skip}",
           "raw mangle nat filter", CALICO, "filter", "Calico hook chain"),
    Family("cali-{from,to}-{wl-dispatch,host-endpoint,hep-forward,endpoint-mark}", "raw mangle nat filter",
           CALICO, "filter",
           "finds the policies of an interface"),
    Family("cali-{fw,tw,fh,th,fhfw,thfw,sm}-", "raw mangle nat filter", CALICO, "filter",
           "one interface, policy or profile", "interface"),
    Family("cali-{pi,po,pri,pro,from,to,set}-", "raw mangle nat filter", CALICO, "filter",
           "one interface, policy or profile", "name"),
    Family("cali-", "raw mangle nat filter", CALICO, "other", "other Calico chain", "any"),
    Family("{,OLD_}CILIUM_{INPUT,OUTPUT,FORWARD,TRANSIENT_FORWARD}", "filter", CILIUM, "filter",
           "Cilium hook chain"),
    Family("{,OLD_}CILIUM_{PRE,POST,OUTPUT}_{raw,mangle,nat}", "raw mangle nat", CILIUM, "other",
           "Cilium hook chain"),
    Family("OLD_CILIUM_", "raw mangle nat filter", CILIUM, "other", "old Cilium chain, to be removed", "any"),
    Family("CILIUM_", "raw mangle nat filter", CILIUM, "other", "other Cilium chain", "any"),
    Family("ISTIO_{REDIRECT,IN_REDIRECT,INBOUND,OUTPUT,OUTPUT_DNS,DIVERT,TPROXY,DROP,PRERT,POSTRT}",
           "raw mangle nat filter",
           ISTIO, "publish", "sends connections through a sidecar"),
    Family("ISTIO_", "raw mangle nat filter", ISTIO, "other", "other Istio chain", "any"),
    Family("PROXY_INIT_", "nat", LINKERD, "publish", "sends connections through a sidecar", "any"),
    Family("KUMA_MESH_", "raw mangle nat", KUMA, "publish", "sends connections through a sidecar", "any"),
    Family("CONSUL_{PROXY,DNS}_", "nat", CONSUL, "publish", "sends connections through a sidecar", "any"),
    Family("KUBE-ROUTER-{INPUT,FORWARD,OUTPUT,SERVICES,HAIRPIN}", "filter nat", KUBE_ROUTER, "filter",
           "network policies"),
    Family("KUBE-POD-FW-", "filter", KUBE_ROUTER, "filter", "the policies of one pod", "name"),
    Family("KUBE-NWPLCY-{,COMMON-}", "filter", KUBE_ROUTER, "filter", "one network policy", "name"),
    Family("KUBE-{SRC,DST}-", "filter", KUBE_ROUTER, "filter", "a set of a network policy", "name"),
    Family("KUBE-ROUTER-", "raw mangle nat filter", KUBE_ROUTER, "other", "other kube-router chain", "any"),
    Family("ANTREA-POL-", "filter", ANTREA, "filter", "policies for the node", "any"),
    Family("ANTREA-", "raw mangle nat filter", ANTREA, "other", "Antrea hook chain", "any"),
    Family("{SUBMARINER,SM-GN}-", "mangle nat filter", SUBMARINER, "other", "other Submariner chain", "any"),
    Family("AWS-SNAT-CHAIN-", "nat", AWS, "masquerade", "masquerades pod traffic leaving the VPC", "any"),
    Family("AWS-CONNMARK-CHAIN-", "nat", AWS, "other", "marks connections that leave the VPC", "any"),
    Family("KIND-MASQ-AGENT", "nat", KIND, "masquerade", "masquerades pod traffic leaving the cluster"),
    Family("CATTLE_", "raw mangle nat filter", RANCHER, "other", "other Rancher chain (1.x)", "any"),
    Family("AZURE-NPM", "filter", AZURE, "filter", "network policies", "any"),
    Family("OPENSHIFT-{MASQUERADE,MASQUERADE-2,FIREWALL-ALLOW,FIREWALL-FORWARD,"
           "ADMIN-OUTPUT-RULES,BLOCK-OUTPUT,CANARY}",
           "mangle nat filter", OPENSHIFT, "filter", "OpenShift's network"),
    Family("OPENSHIFT-", "mangle nat filter", OPENSHIFT, "other", "other OpenShift chain", "any"),
    Family("FLANNEL-FWD", "filter", FLANNEL, "forward", "accepts pod traffic"),
    Family("FLANNEL-POSTRTG", "nat", FLANNEL, "masquerade", "masquerades pod traffic leaving the pod network"),
    Family("WEAVE{,-EXPOSE,-CANARY,-IPSEC-IN,-IPSEC-OUT,-IPSEC-IN-MARK,-IPSEC-OUT-MARK}", "mangle nat filter",
           WEAVE, "other",
           "Weave's network"),
    Family("WEAVE-NPC{,-DEFAULT,-INGRESS,-EGRESS,-EGRESS-DEFAULT,-EGRESS-CUSTOM,-EGRESS-ACCEPT}", "filter",
           WEAVE, "filter",
           "network policies"),
    Family("WEAVE-", "mangle nat filter", WEAVE, "other", "other Weave chain", "name"),
    # programs and people that guard the node itself
    Family("ufw{,6}-{before,after,reject,track,user,before-logging,after-logging,user-logging}-"
           "{input,output,forward}",
           "filter", UFW, "filter", "ufw hook chain"),
    Family("ufw{,6}-{user-limit,logging,skip-to-policy,not-local}"
           "{,-allow,-deny,-accept,-input,-output,-forward}", "filter", UFW, "filter",
           "limits, logs or ends a packet"),
    Family("f2b-", "filter", FAIL2BAN, "filter", "addresses banned by a jail", "name"),
    Family("{PREROUTING,INPUT,FORWARD,OUTPUT,POSTROUTING}_POLICIES_{pre,post}", "raw mangle nat filter",
           FIREWALLD, "filter", "firewalld policies of a hook"),
    Family("{PREROUTING,INPUT,FORWARD,FORWARD_IN,FORWARD_OUT,POSTROUTING}_ZONES{,_SOURCE}",
           "raw mangle nat filter", FIREWALLD, "filter", "finds the zone of a packet"),
    Family("{IN,FWD,FWDI,FWDO,PRE,POST}_{public,trusted,docker,dmz,drop,block,external,home,internal,work,"
           "allow-host-ipv6}", "raw mangle nat filter", FIREWALLD, "filter", "a zone or a policy", "any"),
    Family("{PREROUTING,INPUT,FORWARD,OUTPUT,POSTROUTING}_direct", "raw mangle nat filter", PEOPLE, "filter",
           "firewalld direct rules"),
    Family("CROWDSEC", "filter", CROWDSEC, "filter", "addresses banned by CrowdSec", "any"),
    Family("LIBVIRT_", "mangle nat filter", LIBVIRT, "filter", "libvirt hook chain", "any"),
    Family("MINIUPNPD", "mangle nat filter", MINIUPNPD, "publish", "ports opened by UPnP", "any"),
    Family("sshuttle-", "mangle nat filter", SSHUTTLE, "other", "sends connections through SSH", "any"),
    Family("NETBIRD-", "mangle nat filter", NETBIRD, "filter", "NetBird hook chain", "any"),
    Family("sha-{lh,rh}-", "filter", SHOREWALL, "other", "marker of shorewall", "any"),
    Family("shorewall", "filter", SHOREWALL, "other", "marker of shorewall"),
    Family("IP-MASQ", "nat", MASQ_AGENT, "masquerade", "masquerades pod traffic leaving the cluster", "any"),
    Family("ts-", "nat filter", TAILSCALE, "filter", "Tailscale hook chain", "name"),
    Family("{LOGGING,LOGDROP,LOG_DROP}", "filter", PEOPLE, "filter", "logs, and drops"),
)  # fmt: skip


PROXY_TABLES = ("ip kube-proxy", "ip6 kube-proxy")
"""The tables of nft that kube-proxy writes in nftables mode."""

AFFINITY_SETS = "affinity-"
"""With this begin the names of the sets of kube-proxy's that hold the clients which stay with an endpoint."""


def names(*roles: Role, table: str = "nat", writer: Writer = KUBE_PROXY) -> tuple[str, ...]:
    """Return the names, or beginnings of names, of a writer's chains of such roles in a table."""
    rows = (
        row for row in FAMILIES if row.writer == writer and row.role in roles and table in row.tables.split()
    )
    return tuple(name for row in rows for name in row.names)


SERVICE_CHAINS = names("balancing", "local balancing")
"""Chains that share connections out among endpoints."""

LOCAL_CHAINS = names("local balancing")
"""Those of them that know this node's endpoints alone."""

ENTRY_CHAINS = names("entry", "firewall")
"""Chains in front of those, for external traffic and for load-balancer source ranges."""

_SHARING_NATIVE, _BEFORE_NATIVE = ("service-", "local-"), ("external-", "firewall-")
"""The same in nftables mode, where the name of a service's chain has a slash."""


def shares_out(chain: str) -> bool:
    """Whether a chain shares connections out among endpoints, in either mode, as far as its name tells."""
    return chain.startswith(SERVICE_CHAINS) or ("/" in chain and chain.startswith(_SHARING_NATIVE))


def stands_before(chain: str) -> bool:
    """Whether a chain is in front of those, in either mode."""
    return chain.startswith(ENTRY_CHAINS) or ("/" in chain and chain.startswith(_BEFORE_NATIVE))


HASHED_CHAINS = tuple(row.name for row in FAMILIES if row.ends_in == "service hash")
"""Chains whose names bear the hash of a service port, one and the same in all of them."""

DISPATCHERS = {"nat": names("dispatch"), "filter": names("refusal", table="filter")}
"""The chains that dispatch or refuse a service's traffic, by table."""


def written_by(writer: Writer) -> tuple[str, ...]:
    """Return the names, or beginnings of names, of all chains of a writer."""
    return tuple(name for row in FAMILIES if row.writer == writer for name in row.names)


_LETTERS = 3
"""No beginning of a family's names is shorter."""


@cache
def _rows() -> tuple[dict[str, list[Family]], dict[str, list[tuple[str, Family]]]]:
    """Return the rows by whole names, and by their first letters beginnings of names, the longest first."""
    whole: dict[str, list[Family]] = {}
    begun: dict[str, list[tuple[str, Family]]] = {}
    for row in FAMILIES:
        for name in row.names:
            if row.ends_in:
                begun.setdefault(name[:_LETTERS], []).append((name, row))
            else:
                whole.setdefault(name, []).append(row)
    return whole, {letters: sorted(rows, key=lambda row: -len(row[0])) for letters, rows in begun.items()}


def _begun(chain: str) -> list[tuple[str, Family]]:
    """Return the beginnings of names with which a chain begins, the longest first."""
    rows = _rows()[1].get(chain[:_LETTERS], [])
    return [(name, row) for name, row in rows if chain.startswith(name)]


def beginning_of(chain: str) -> str:
    """Return what a chain's name begins with of its family's; an empty text where it has none of those."""
    return next((name for name, _ in _begun(chain)), "")


def family_of(chain: str, table: str = "nat") -> Family | None:
    """Return the family of a chain: of several with one name that of `table`, if any, else the first."""
    rows = _rows()[0].get(chain) or [row for _, row in _begun(chain)]
    return next((row for row in rows if table in row.tables.split()), rows[0] if rows else None)
