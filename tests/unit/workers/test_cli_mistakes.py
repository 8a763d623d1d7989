"""Mistakes in the settings, as `fanfold` tells them."""

from pathlib import Path

import pytest

from workers.cli import main


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without fanfold.toml."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    with pytest.raises(SystemExit) as ended:
        main(["doctor"])
    assert ended.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    return output.err.splitlines()


def test_all_mistakes_are_told_together_each_by_its_names(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANFOLD_KAFKA__REPLICATION", "three")
    monkeypatch.setenv("FANFOLD_KAFKA__BOOTSTRP", "kafka:9092")
    monkeypatch.setenv("FANFOLD_CHAT__TIMEZONE", "Mars/Olympus")
    monkeypatch.setenv("FANFOLD_CHAT__SECRETS", "{demo")
    monkeypatch.setenv("FANFOLD_CLOCK__TICK_SECONDS", "10")
    monkeypatch.setenv("FANFOLD_MONGO_URI", "mongodb://u:password@host/")

    assert told(capsys) == [
        "6 mistakes in the settings:",
        "  FANFOLD_MONGO_URI: there is no such setting; did you mean FANFOLD_MONGO__URI?",
        "  kafka.replication (FANFOLD_KAFKA__REPLICATION): "
        "input should be a valid integer, unable to parse string as an integer",
        "  kafka.bootstrp (FANFOLD_KAFKA__BOOTSTRP): there is no such setting; did you mean bootstrap?",
        "  chat.secrets (FANFOLD_CHAT__SECRETS): "
        'input should be a valid dictionary; write it as JSON: {"name":"value"}',
        "  chat.timezone (FANFOLD_CHAT__TIMEZONE): no time zone named 'Mars/Olympus'",
        "  clock (FANFOLD_CLOCK): lease_seconds must be at least 3 ticks, or a slow tick loses the lease",
    ]


def test_no_value_is_shown_for_it_may_be_a_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANFOLD_CHAT__TOKEN_KEY", "hunter2")
    monkeypatch.setenv("FANFOLD_EVENTS__TOKENS", "hunter2")
    monkeypatch.setenv("FANFOLD_CHAT__SECRETS", '{"demo": {"key": "hunter2"}}')

    lines = told(capsys)
    assert len(lines) == 4
    assert "hunter2" not in "\n".join(lines)


def test_an_entry_of_a_mapping_is_named_by_its_place(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANFOLD_CHAT__SECRETS", '{"demo": 7}')

    assert told(capsys)[1] == "  chat.secrets.demo (FANFOLD_CHAT__SECRETS): input should be a valid string"


def test_a_misspelt_part_in_the_file_is_told(capsys: pytest.CaptureFixture[str], elsewhere: Path) -> None:
    (elsewhere / "fanfold.toml").write_text("[kafak]\nbootstrap = 'x'\n")

    assert told(capsys)[1] == "  kafak (FANFOLD_KAFAK): there is no such setting; did you mean kafka?"


def test_a_file_that_is_no_toml_is_told_in_one_line(capsys: pytest.CaptureFixture[str], elsewhere: Path) -> None:
    (elsewhere / "fanfold.toml").write_text("bootstrap: x\n")

    [line] = told(capsys)
    assert line.startswith("fanfold.toml cannot be read: ")
