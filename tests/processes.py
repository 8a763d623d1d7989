"""Processes as tests see them."""

from pathlib import Path


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and whom nobody has asked about does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
