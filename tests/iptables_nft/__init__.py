"""Tables of iptables-nft in listings of nft, read as rules of iptables."""
