"""The tables that iptables-nft makes, as nft lists them, in the words of iptables-save."""
