"""`fanfold hash-password`: what it prints is taken for the password that was typed, and for no other."""

import io
import os
import pty
import subprocess
import sys

import pytest

from gateway.contact_auth import verify
from workers.cli import main


def run(monkeypatch: pytest.MonkeyPatch, piped: bytes) -> int:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(piped)))
    with pytest.raises(SystemExit) as ended:
        main(["hash-password"])
    return int(ended.value.code or 0)


@pytest.mark.parametrize("piped", [b"geheim: \xc3\xbc ", b"geheim: \xc3\xbc \n", b"geheim: \xc3\xbc \r\nmore\n"])
def test_the_first_line_of_standard_input_is_the_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], piped: bytes
) -> None:
    assert run(monkeypatch, piped) == 0

    hashed = capsys.readouterr().out.removesuffix("\n")
    assert hashed.startswith("$argon2id$")
    assert verify(hashed, "geheim: ü ".encode())
    assert not verify(hashed, "geheim: ü".encode())


@pytest.mark.parametrize(
    ("piped", "said"),
    [
        (b"", "There is no password: type it, or give it on standard input.\n"),
        (b"\n", "There is no password: type it, or give it on standard input.\n"),
        (b"\xff\n", "The password is not UTF-8, as agents send it.\n"),
    ],
)
def test_without_a_password_there_is_no_hash(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], piped: bytes, said: str
) -> None:
    assert run(monkeypatch, piped) == 2
    assert capsys.readouterr() == ("", said)


def test_on_a_terminal_it_is_typed_twice_and_not_shown() -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "workers.cli", "hash-password"]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as program:
        seen = b""
        for prompt in (b"Password: ", b"Repeat for confirmation: "):
            while not seen.endswith(prompt):
                seen += os.read(ours, 1000)
            os.write(ours, b"geheim\n")
        while b"$argon2id$" not in seen or not seen.endswith(b"\r\n"):
            seen += os.read(ours, 1000)
    os.close(ours)
    os.close(theirs)

    assert program.returncode == 0
    assert b"geheim" not in seen
    assert verify(seen.decode().splitlines()[-1], b"geheim")
