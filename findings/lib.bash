# shellcheck shell=bash
# What the scripts of this folder share. It is sourced, not run.
#
# A script calls `debs` for the pinned programs that it needs, `node` for a network namespace of
# its own, `on_node` for each command there, `expect` for each observation, and `verdict` last.
# All that it makes lies in one temporary folder and one namespace; both go when it ends.

set -euo pipefail

unset LD_LIBRARY_PATH XTABLES_LIBDIR
export LC_ALL=C

work=$(mktemp -d)
root=$work/root
netns=
differences=0

cleanup() {
    if [ -n "$netns" ]; then
        ip netns del "$netns" || true
    fi
    rm -rf "$work"
}
trap cleanup EXIT

# Exit status 2: nothing was observed, so nothing is said about the behaviour.
cannot() {
    printf 'cannot be tried here: %s\n' "$*" >&2
    exit 2
}

[ "$(uname -m)" = x86_64 ] || cannot 'the programs are fetched for amd64'
for program in apt-get dpkg-deb ip python3; do
    command -v "$program" >/dev/null || cannot "no $program"
done

# debs SUITE PACKAGE=VERSION ...: unpacks Debian packages below $root; installs nothing.
# Versions that the machine's own sources do not offer are looked up in SUITE, on the same mirror.
debs() {
    local suite=$1 mirror deb
    shift
    local quiet=(-qq -o APT::Sandbox::User=root)
    mkdir -p "$root" "$work/debs" "$work/lists/partial" "$work/cache/archives/partial"
    rm -f "$work"/debs/*
    if ! (cd "$work/debs" && apt-get "${quiet[@]}" download "$@") 2>/dev/null; then
        # shellcheck disable=SC2016  # apt fills this in
        mirror=$(apt-get indextargets --format '$(REPO_URI)' \
            'Created-By: Packages' 'Label: Debian' 'Component: main' | head -n 1)
        [ -n "$mirror" ] || cannot 'no Debian mirror among the sources of apt'
        printf 'deb [signed-by=%s] %s %s main\n' \
            /usr/share/keyrings/debian-archive-keyring.gpg "$mirror" "$suite" >"$work/sources.list"
        : >"$work/status"
        quiet+=(-o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
            -o "Dir::State::lists=$work/lists" -o "Dir::State::status=$work/status"
            -o "Dir::Cache=$work/cache")
        apt-get "${quiet[@]}" update || cannot "no package lists of $suite"
        (cd "$work/debs" && apt-get "${quiet[@]}" download "$@") || cannot "no such packages: $*"
    fi
    for deb in "$work"/debs/*.deb; do
        dpkg-deb -x "$deb" "$root"
    done
}

# The packages of Debian 12 that hold iptables 1.8.9, and those that hold nft 1.0.6.
# shellcheck disable=SC2034  # used by the scripts
iptables_1_8_9=(iptables=1.8.9-2 libxtables12=1.8.9-2 libip4tc2=1.8.9-2 libip6tc2=1.8.9-2
    libnftnl11=1.2.4-2 libmnl0=1.0.4-3 libnetfilter-conntrack3=1.0.9-3 libnfnetlink0=1.0.2-2)
# shellcheck disable=SC2034
nft_1_0_6=(nftables=1.0.6-2+deb12u2 libnftables1=1.0.6-2+deb12u2 libjansson4=2.14-2
    libedit2=3.1-20221030-2 libbsd0=0.11.7-2 libgmp10=2:6.2.1+dfsg1-1.1)

# A network namespace with nothing in it but lo, which is up.
node() {
    [ "$(id -u)" = 0 ] || cannot 'needs root, for a network namespace'
    netns=finding-$$
    ip netns add "$netns" || cannot 'no network namespace'
    ip -n "$netns" link set lo up
}

# Runs a command in the namespace; the unpacked programs come first, with their own libraries.
on_node() {
    ip netns exec "$netns" env \
        PATH="$root/usr/sbin:$root/sbin:$PATH" \
        LD_LIBRARY_PATH="$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu" \
        XTABLES_LIBDIR="$root/usr/lib/x86_64-linux-gnu/xtables" \
        "$@"
}

# datagrams N: N UDP datagrams from 127.0.0.1 to port 9 of 127.0.0.1, where nobody listens,
# each from a port of its own. Each of them brings one ICMP error back.
datagrams() {
    on_node python3 - "$1" <<'END'
import socket, sys
for _ in range(int(sys.argv[1])):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("127.0.0.1", 9))
END
}

# expect WHAT WANTED SEEN
expect() {
    if [ "$2" = "$3" ]; then
        printf 'as described: %s\n' "$1"
        if [ -n "$3" ]; then
            # shellcheck disable=SC2001
            sed 's/^/    /' <<<"$3"
        fi
    else
        printf 'DIFFERENT: %s\n  described:\n%s\n  seen:\n%s\n' "$1" "$2" "$3"
        differences=$((differences + 1))
    fi
}

# Exit status 0: all as described; 1: something is different.
verdict() {
    [ "$differences" = 0 ] || exit 1
}

# The port, 1001 or 1002 at 127.0.0.1, at which a datagram for 192.0.2.1 arrives.
port_reached() {
    on_node python3 - <<'END'
import select, socket
ends = []
for port in (1001, 1002):
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.bind(("127.0.0.1", port))
    ends.append(end)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    sender.sendto(b"x", ("192.0.2.1", 9))
ready, _, _ = select.select(ends, [], [], 5)
print(" ".join(str(end.getsockname()[1]) for end in ready))
END
}
