"""A generator of the tables that kube-proxy writes in nftables mode, in its five shapes, in the form of a listing.

What it writes is documented of the releases; none of the program's code is used. A kernel takes it, and lists the
same.
"""

from tests.nftproxy.shapes import SHAPES, Shape, shape
from tests.nftproxy.writer import Node, listed

__all__ = ["SHAPES", "Node", "Shape", "listed", "shape"]
