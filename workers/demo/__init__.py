"""`make demo`: everything started, a stream of traffic sent, and every number checked against what was sent.

The model in `expected` knows the contracts, not the handlers: it reads the bodies
that were answered with success and says what must have become of them.
"""
