"""Tests of what the chains of kube-proxy mean."""
