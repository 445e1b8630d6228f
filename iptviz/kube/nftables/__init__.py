"""What kube-proxy's table says in nftables mode: names of chains, maps of frontends, ways to endpoints."""
