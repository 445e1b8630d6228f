"""What rules of nft become: tests of packets, and what is done with them."""
