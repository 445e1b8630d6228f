"""One normal form of a service port, whoever tells it, and in what two forms or two rule sets differ."""
