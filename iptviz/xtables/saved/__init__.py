"""What iptables-save prints otherwise than typed, by match and target.

A match or target without a row here is printed as its rows in the option tables say.
"""
