"""What kube-proxy's tables of nft mean: which release wrote them, and how a node that has them keeps services."""
