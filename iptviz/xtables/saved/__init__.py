"""What iptables-save prints otherwise than typed, by match and target."""
