"""`fanfold hash-password`: what is set for an agent in place of a password."""

import sys

import typer
from argon2 import PasswordHasher

from workers.commands.console import MISUSED, fail


def hashed() -> str:
    """The argon2 hash of the password that is typed, twice and unseen, or is the first line of standard input."""
    password = typed() if sys.stdin.isatty() else first_line(sys.stdin.buffer.readline())
    if not password:
        fail("There is no password: type it, or give it on standard input.", MISUSED)
    return PasswordHasher().hash(password)


def first_line(line: bytes) -> str:
    try:
        return line.rstrip(b"\r\n").decode()
    except UnicodeDecodeError:
        fail("The password is not UTF-8, as agents send it.", MISUSED)


def typed() -> str:
    # On standard error, so that the output is the hash alone.
    answer: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return answer
