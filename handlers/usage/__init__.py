"""Usage and its price: what a call costs, and what it adds to which totals. The rules, without I/O."""
