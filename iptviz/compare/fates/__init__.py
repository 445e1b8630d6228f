"""What becomes of packets: of one that is asked for, and of all new connections to services."""
