"""Finds the kinds of jobs: every module in `workers.jobs.kinds` is one."""

import pkgutil
from functools import cache
from importlib import import_module

from workers.jobs import kinds as package
from workers.jobs.kind import Kind


@cache
def kinds() -> dict[str, Kind]:
    """Every kind by its name. Not to be changed: all callers are given the same."""
    found: dict[str, Kind] = {}
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        kind: Kind = import_module(module.name).KIND
        if kind.name in found:
            raise ValueError(f"two kinds of jobs are named {kind.name!r}")
        found[kind.name] = kind
    return found
