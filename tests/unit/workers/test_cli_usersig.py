"""`fanfold usersig`: what it prints is what the IM server API takes."""

import json
import time

import pytest

from schemas.im import usersig
from workers.cli import main

APPS = {"1400000001": {"key": "k1", "admins": ["boss", "root"]}, "1400000002": {"key": "k2", "admins": ["root"]}}


@pytest.fixture
def apps(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("FANFOLD_IM__APPS", json.dumps(APPS))


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["usersig", *arguments])
    assert ended.value.code == 0
    return capsys.readouterr().out.strip()


@pytest.mark.usefixtures("apps")
def test_it_is_good_for_the_app_and_the_account_that_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "--app", "1400000002", "--identifier", "root", "--expire", "60")

    assert 50 <= usersig.verify(text, "k2", "1400000002", "root") - time.time() <= 60


@pytest.mark.usefixtures("apps")
def test_left_out_it_is_the_first_app_and_its_first_admin_for_a_day(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys)

    assert 86_000 <= usersig.verify(text, "k1", "1400000001", "boss") - time.time() <= 86_400


@pytest.mark.usefixtures("apps")
def test_an_app_that_is_not_set_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["usersig", "--app", "7"])

    assert ended.value.code == 2
    assert capsys.readouterr().err == "No app 7 is set; there are: 1400000001, 1400000002\n"
