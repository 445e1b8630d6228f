"""What the manual says beside the help of commands and options."""

from __future__ import annotations

DESCRIPTION = (
    (
        "iptviz reads what `iptables-save` prints on a Kubernetes node, or a bundle of a node's files, and says "
        "where connections go: which endpoints a service port leads to, with exact shares, and which rules drop, "
        "reject or masquerade them on the way. It changes nothing, and needs neither root nor a cluster."
    ),
    (
        "What a dump does not show is not guessed: it is a condition in the answer, or named as unknown. "
        "`iptviz explain conditions` lists the kinds of conditions."
    ),
    "The answer goes to standard output and nothing else does; messages go to standard error.",
)

SHARED = (
    "Most commands have these options. Which formats a command writes is told with its own options; "
    "`--help` lists all that it has."
)

EXIT_STATUS = (
    (
        "0",
        "Answered. For `trace`, `services` and `packet` this holds whatever the answer is: a REJECT is one.",
    ),
    (
        "1",
        (
            "Findings (`check`), differences (`verify`), or a TARGET or chain that the dump does not have. "
            "`services --exit-code` exits with 1 where a filter for faults lists any. `--exit-zero` makes it 0."
        ),
    ),
    (
        "2",
        "The question could not be asked: wrong usage, input that cannot be read, a program that is missing.",
    ),
    ("130", "Interrupted."),
)

ENVIRONMENT = (
    ("NO_COLOR", "Where it is set, nothing is coloured but with `--color always`."),
    ("FORCE_COLOR", "Where it is set, and not to 0, what goes into a pipe is coloured, too."),
    ("TERM", "Where it is `dumb`, nothing is coloured."),
    ("COLUMNS", "How wide a terminal is taken to be."),
    (
        "LC_ALL, LC_CTYPE, LANG",
        "In the locales C and POSIX, and in those that are not UTF-8, trees and messages are drawn in ASCII.",
    ),
    ("XDG_DATA_HOME, XDG_CONFIG_HOME", "Below these folders `--install-completion` writes."),
    ("IPTVIZ_DEBUG", "Where it is set, errors of the program itself show where they happened."),
)

FILES = (
    ("share/bash-completion/completions/iptviz", "Completion for bash."),
    ("share/zsh/site-functions/_iptviz", "Completion for zsh."),
    ("share/fish/vendor_completions.d/iptviz.fish", "Completion for fish."),
)

EXAMPLES = (
    ("sudo iptables-save -c > node.rules", "Save what is asked about, on the node, with counters."),
    ("iptviz trace default/web:http node.rules", "Where do connections to this service port go?"),
    ("sudo iptables-save | iptviz trace 10.97.13.198:80", "The same by address, of what is piped in."),
    ("iptviz services --failing node.rules", "Which service ports do not all clients reach?"),
    ("iptviz check node.tar.gz", "What is broken on this node?"),
    (
        "iptviz packet node.rules --src 10.244.0.9 --dst 10.97.13.198 --protocol tcp --dport 80",
        "What happens to one packet in all tables?",
    ),
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
