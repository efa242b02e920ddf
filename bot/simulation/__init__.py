"""A simulated community: made-up members whose preferences are known, and who vote by them.

Everything they do goes through the same services as what people do; only their rows are marked.
So what statistics find can be compared with what is true.
"""
