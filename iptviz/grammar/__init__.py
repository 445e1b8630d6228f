"""One rule: from its text to its parts, and back to the text that iptables-save prints."""
