"""What virtual servers of IPVS mean on a node where kube-proxy keeps services in them."""
