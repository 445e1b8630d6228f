#!/usr/bin/env bash
# sos report: the tables of iptables-legacy are not in the report, if nft is there and lists none of their names
#
# Versions   sos 4.9.1 (Debian 13; Python 3.11 here) with iptables 1.8.9 (legacy) and nft 1.0.6
#            (Debian 12). sos 4.12.1 (Debian's unstable) does the same.
#
# Behaviour  sos lists the tables of nft first, and then asks `iptables -t TABLE -nvL` only of
#            tables that were in the listing; without any, not even `iptables -vnxL`. It does so
#            also where the kernel names tables in /proc/net/ip_tables_names: those are the legacy
#            ones, which nft never lists. The report then has an empty `nft -a list ruleset`, and
#            not a file of iptables. As soon as nft has a table of the same name, sos asks iptables,
#            and gets the legacy rules if that is the iptables of the node. (sos minds which kernel
#            modules are loaded; --allow-system-changes, as here, takes them as loaded.)
#
# Matters    On a node where kube-proxy writes legacy rules, the report looks as if there were no
#            rules at all. What gives them away is in the same report: a name in
#            proc/net/ip_tables_names. Ask for `iptables-legacy-save` beside. A table of nft with a
#            name of iptables', that some other program made, decides whether the rules are there.
#
# Seen       /proc/net/ip_tables_names: nat
#            report: sos_commands/firewall_tables/nft_-a_list_ruleset (empty)
#            and with a table ip nat of nft's:
#            report: sos_commands/firewall_tables/iptables_-t_nat_-nvL, too

. "$(dirname "$0")/lib.bash"
debs bookworm "${iptables_1_8_9[@]}" "${nft_1_0_6[@]}"
debs trixie sos=4.9.1-1
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install \
    pexpect==4.9.0 PyYAML==6.0.4 packaging==26.4 python-magic==0.4.27 2>"$work/pip" ||
    cannot "$(tail -n 1 "$work/pip")"
node

on_node iptables-legacy-restore <<'END' || cannot 'no ip_tables in this kernel'
*nat
:KUBE-SERVICES - [0:0]
-A PREROUTING -j KUBE-SERVICES
COMMIT
END

# sos looks for programs in places of its own: there, and in its namespace alone, stand those that were unpacked.
mkdir "$work/programs"
for program in nft iptables ip6tables; do
    cat >"$work/programs/$program" <<END
#!/bin/sh
export LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu XTABLES_LIBDIR=$root/usr/lib/x86_64-linux-gnu/xtables
exec $root/usr/sbin/${program/%tables/tables-legacy} "\$@"
END
done
chmod +x "$work"/programs/*
: >"$work/sos.conf"

# report FOLDER: the files of the report's folder of rules, and which of them are empty.
report() {
    mkdir "$work/$1"
    # shellcheck disable=SC2016  # the shell in the namespace fills these in
    PYTHONPATH=$root/usr/lib/python3/dist-packages ip netns exec "$netns" sh -euc '
        programs=$1
        shift
        mount --bind "$programs" /usr/local/sbin
        for program in "$programs"/*; do
            for place in /usr/sbin /usr/bin /sbin /bin; do
                [ ! -e "$place/${program##*/}" ] || mount --bind "$program" "$place/${program##*/}"
            done
        done
        exec "$@"' sh "$work/programs" \
        "$work/venv/bin/python" "$root/usr/bin/sos" report --batch --build --only-plugins firewall_tables \
        --allow-system-changes --config-file "$work/sos.conf" --tmp-dir "$work/$1" >"$work/sos.log" 2>&1 ||
        cannot "sos report: $(tail -n 1 "$work/sos.log")"
    (cd "$work/$1"/*/sos_commands/firewall_tables && find . -type f -printf '%P %s\n' | sort |
        sed 's/ 0$/ (empty)/; s/ [0-9]*$//')
}

expect 'the kernel names a table' nat "$(on_node cat /proc/net/ip_tables_names)"
expect 'which the report does not have' 'nft_-a_list_ruleset (empty)' "$(report empty)"
on_node nft add table ip nat
expect 'before nft has one of that name' $'iptables_-t_nat_-nvL\nnft_-a_list_ruleset' "$(report named)"
expect 'it is the legacy one' 'Chain KUBE-SERVICES (1 references)' \
    "$(grep -h KUBE-SERVICES "$work"/named/*/sos_commands/firewall_tables/iptables_-t_nat_-nvL | grep Chain)"

verdict
