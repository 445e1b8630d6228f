"""What can be said of a packet: one table of fields, for options, keyword arguments, documents and views."""
