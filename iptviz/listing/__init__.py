"""The output of `iptables -L`, row by row, into lines of iptables-save."""
