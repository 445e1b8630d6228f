"""What the Kubernetes API says of a cluster, and what kube-proxy on a node should make of it."""
