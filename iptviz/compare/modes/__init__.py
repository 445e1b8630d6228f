"""kube-proxy's two modes that keep services in rules: in what they differ by intention, and what is left then."""
