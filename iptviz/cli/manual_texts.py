"""What the manual says beside the help of commands and options."""

from __future__ import annotations

DESCRIPTION = (
    (
        "iptviz reads what `iptables-save` prints on a Kubernetes node, or a bundle of a node's files, and "
        "shows where connections go: the endpoints of a service port with exact shares, and the rules that "
        "drop, reject or masquerade connections on the path. It changes nothing, and needs neither root "
        "nor a cluster."
    ),
    (
        "iptviz does not guess what a dump does not show: it becomes a condition of the answer, or is named as "
        "unknown. `iptviz explain conditions` lists the kinds of conditions."
    ),
    "The answer goes to standard output and nothing else does; messages go to standard error.",
)

SHARED = (
    "Most commands have these options. The formats of a command are listed with its own options; `--help` "
    "lists all options."
)

EXIT_STATUS = (
    (
        "0",
        "Answered. For `trace`, `services` and `packet` this holds whatever the answer is: a REJECT is one.",
    ),
    (
        "1",
        (
            "Findings (`check`), differences (`verify`, `diff`, `fleet`), or a TARGET or chain that the dump "
            "does not have. `services --exit-code` exits with 1 where a filter for faults lists any. "
            "`--exit-zero` makes it 0."
        ),
    ),
    (
        "2",
        "The question could not be asked: wrong usage, unreadable input, or a missing program.",
    ),
    ("130", "Interrupted."),
)

ENVIRONMENT = (
    ("NO_COLOR", "If set, output is coloured only with `--color always`."),
    ("FORCE_COLOR", "If set, and not to 0, piped output is coloured, too."),
    ("TERM", "If `dumb`, output is not coloured."),
    ("COLUMNS", "Width of the terminal."),
    (
        "LC_ALL, LC_CTYPE, LANG",
        "In the locales C and POSIX, and in those without UTF-8, trees and messages are ASCII.",
    ),
    ("XDG_DATA_HOME, XDG_CONFIG_HOME", "Folders below which `--install-completion` writes."),
    ("IPTVIZ_DEBUG", "If set, internal errors show a traceback."),
)

FILES = (
    ("share/bash-completion/completions/iptviz", "Completion for bash."),
    ("share/zsh/site-functions/_iptviz", "Completion for zsh."),
    ("share/fish/vendor_completions.d/iptviz.fish", "Completion for fish."),
)

EXAMPLES = (
    ("sudo iptables-save -c > node.rules", "Save the rules on the node, with counters."),
    ("iptviz trace default/web:http node.rules", "Where do connections to this service port go?"),
    ("sudo iptables-save | iptviz trace 10.97.13.198:80", "The same by address, from a pipe."),
    ("iptviz services --failing node.rules", "Which service ports do not all clients reach?"),
    ("iptviz check node.tar.gz", "What is broken on this node?"),
    (
        "iptviz packet node.rules --src 10.244.0.9 --dst 10.97.13.198 --protocol tcp --dport 80",
        "What happens to one packet in all tables?",
    ),
    ("iptviz fleet nodes/ --cache ~/.cache/iptviz", "Which nodes differ from the others?"),
    ("iptviz report node.rules default/web -o report.html", "Write one file for an incident."),
    (
        "iptviz services -f jsonl node.rules | jq -r .service.name",
        "Read service ports one by one.",
    ),
    (
        "iptviz check --redact node.rules -f markdown",
        "Ask outsiders, with pseudonyms for names and addresses.",
    ),
)

SEE_ALSO = (
    ("conntrack", "8"),
    ("ip-route", "8"),
    ("ip6tables-save", "8"),
    ("ipset", "8"),
    ("iptables", "8"),
    ("iptables-save", "8"),
    ("kubectl", "1"),
)
