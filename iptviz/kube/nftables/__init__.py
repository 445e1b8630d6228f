"""What kube-proxy's tables of nft mean: names of chains, maps of frontends, ways to endpoints, the release."""
