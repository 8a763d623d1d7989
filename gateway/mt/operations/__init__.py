"""One module per group of operations; `gateway.mt.system` finds them by listing this package.

A module has a function `operations(tools: Tools) -> Sequence[MtOperation]`.
"""
