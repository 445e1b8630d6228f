"""Text as people have it, made into plain iptables-save: every line used, repaired or left out with a reason."""
