"""The fault matrix: the real program on the wire, with everything that goes wrong in months."""
