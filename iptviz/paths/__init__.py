"""The whole way of a connection to a frontend, for every kind of client, and that of the endpoint's answer."""
