"""What `fanfold up` works out from its options."""

import json
import socket
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from config.settings import FilesSettings, KafkaSettings, PushSettings, Settings
from workers.embedded.errors import CannotStart
from workers.embedded.ports import LOOPBACK, free_port
from workers.up_plan import (
    Keys,
    Place,
    UpOptions,
    applied,
    environment,
    environment_file,
    link_key,
    open_place,
    overridden,
    push_keys,
    ready_line,
    refuse_taken,
    token_key,
)

KEY = "k" * 32
PUSH_KEYS = [Fernet.generate_key().decode()]
METERING_KEYS = [Fernet.generate_key().decode()]
KEYS = Keys(token=KEY, link=KEY, push=PUSH_KEYS, metering=METERING_KEYS)
GIVEN = Settings()


def applied_to(given: Settings, **options: object) -> Settings:
    return applied(given, overridden(UpOptions(**options), given, KEYS))


def test_tansu_is_told_no_idempotence_and_short_sessions() -> None:
    kafka = applied_to(GIVEN).kafka

    assert (kafka.idempotent, kafka.session_timeout_seconds) == (False, 2.0)


def test_apache_kafka_gets_the_idempotent_producer_and_the_shortest_session_it_grants() -> None:
    kafka = applied_to(GIVEN, broker="apache").kafka

    assert (kafka.idempotent, kafka.session_timeout_seconds) == (True, 6.0)


def test_a_session_time_that_is_set_stays() -> None:
    given = GIVEN.model_copy(update={"kafka": KafkaSettings(session_timeout_seconds=30)})

    assert applied_to(given).kafka.session_timeout_seconds == 30


def test_a_broker_given_by_its_address_is_spoken_to_as_the_settings_say() -> None:
    given = GIVEN.model_copy(update={"kafka": KafkaSettings(prefix="a.", replication=3)})

    kafka = applied_to(given, kafka="kafka.example:9092").kafka

    assert kafka == KafkaSettings(bootstrap="kafka.example:9092", prefix="a.", replication=3)


def test_children_read_from_the_environment_what_is_applied_here(monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = overridden(UpOptions(port=1234), GIVEN, KEYS)

    for name, value in environment(overrides).items():
        monkeypatch.setenv(name, value)

    assert Settings() == applied(GIVEN, overrides)


def test_port_0_takes_a_free_one() -> None:
    settings = applied_to(GIVEN, port=0, metrics_port=0)

    assert settings.gateway.port != 0
    assert settings.metrics.port not in (0, settings.gateway.port)


def test_a_taken_port_is_refused_and_a_free_one_is_not() -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CannotStart, match=f"Port {port} is taken by another program: choose another with --port"):
            refuse_taken(LOOPBACK, port, "--port")
    refuse_taken(LOOPBACK, free_port(), "--port")


def test_an_address_of_another_machine_is_refused_with_the_reason() -> None:
    with pytest.raises(CannotStart, match=r"Listening at 192\.0\.2\.1:\d+ is not possible \(.+\)"):
        refuse_taken("192.0.2.1", free_port(), "--port")


def test_a_token_key_is_made_once_and_is_nobody_elses_business(tmp_path: Path) -> None:
    place = Place(tmp_path, tmp_path)

    key = token_key(GIVEN, place)

    assert len(key) >= 32
    assert token_key(GIVEN, place) == key
    assert (tmp_path / "token-key").stat().st_mode & 0o077 == 0


def test_a_key_for_download_links_is_made_in_the_same_way_unless_there_is_one(tmp_path: Path) -> None:
    place = Place(tmp_path, tmp_path)

    key = link_key(GIVEN, place)

    assert len(key) >= 32
    assert link_key(GIVEN, place) == key
    given = GIVEN.model_copy(update={"files": FilesSettings.model_validate({"link_key": KEY})})
    assert link_key(given, place) == KEY


def test_download_links_lead_to_the_gateway_unless_they_are_said_to_lead_elsewhere() -> None:
    given = GIVEN.model_copy(update={"files": FilesSettings(public_url="https://fanfold.example.com/")})

    assert applied_to(GIVEN, port=1234).files.public_url == "http://127.0.0.1:1234"
    assert applied_to(given, port=1234).files.public_url == "https://fanfold.example.com"


def test_a_key_for_secrets_at_rest_is_made_in_the_same_way_unless_there_are_some(tmp_path: Path) -> None:
    place = Place(tmp_path, tmp_path)

    [key] = push_keys(GIVEN, place)

    assert Fernet(key)
    assert push_keys(GIVEN, place) == [key]
    assert (tmp_path / "push-key").stat().st_mode & 0o077 == 0
    given = GIVEN.model_copy(update={"push": PushSettings.model_validate({"secrets_keys": PUSH_KEYS})})
    assert push_keys(given, place) == PUSH_KEYS


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    options = UpOptions(data=tmp_path)
    with open_place(options), pytest.raises(CannotStart, match="in use by another run"), open_place(options):
        pass
    with open_place(options):
        pass


def test_what_a_killed_run_left_is_cleared_and_what_is_kept_stays(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics").write_text("old")
    (tmp_path / "store").mkdir()

    with open_place(UpOptions(data=tmp_path)) as place:
        assert list(place.run.iterdir()) == []
    assert (tmp_path / "store").is_dir()


def test_other_commands_are_told_where_everything_is_while_it_is(tmp_path: Path) -> None:
    overrides = overridden(UpOptions(mongo="mongodb://u:p&q@h/"), GIVEN, KEYS)

    with environment_file(Place(tmp_path, tmp_path), overrides) as file:
        lines = file.read_text().splitlines()
        assert "FANFOLD_KAFKA__IDEMPOTENT=False" in lines
        assert "FANFOLD_MONGO__URI='mongodb://u:p&q@h/'" in lines
        assert KEY not in file.read_text()
        assert f"FANFOLD_PUSH__SECRETS_KEYS='{json.dumps(PUSH_KEYS)}'" in lines
        assert f"FANFOLD_METERING__SECRETS_KEYS='{json.dumps(METERING_KEYS)}'" in lines
        assert file.stat().st_mode & 0o077 == 0
    assert not file.exists()


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (UpOptions(), ["in memory: what is not folded is lost", "kept in {kept}/store"]),
        (UpOptions(ephemeral=True), ["in memory: what is not folded is lost", "kept until it stops"]),
        (UpOptions(broker="apache"), ["Apache Kafka at", "kept in {kept}/kafka"]),
        (UpOptions(kafka="h:1", mongo="mongodb://u:secret@h/"), ["Kafka at h:1", "MongoDB as given"]),
    ],
)
def test_the_ready_line_says_what_is_kept_where(tmp_path: Path, options: UpOptions, parts: list[str]) -> None:
    settings = applied(GIVEN, overridden(options, GIVEN, KEYS))

    line = ready_line(options, settings, Place(tmp_path, tmp_path / "run"), tmp_path / "up.env")

    for part in parts:
        assert part.format(kept=tmp_path) in line
    assert "\n" not in line
    assert "secret" not in line
