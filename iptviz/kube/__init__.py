"""What the chains of kube-proxy mean: names, frontends, services and their endpoints."""
