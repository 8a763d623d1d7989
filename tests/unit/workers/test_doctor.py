"""What the doctor makes of what it sees."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config.settings import KafkaSettings, Settings
from config.topics import TOPICS
from streams.topic_ids import TopicFound
from workers.doctor import Verdict, examine_clock, examine_settings, examine_templates, examine_topics

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("there_seconds", "took_seconds", "verdict"),
    [
        (0, 0.01, Verdict.OK),
        (4, 0, Verdict.OK),
        (10, 12, Verdict.OK),  # it may have looked at its clock just before it answered
        (10, 2, Verdict.NOTE),
        (-10, 0, Verdict.NOTE),
        (100, 1, Verdict.WRONG),
        (-100, 1, Verdict.WRONG),
    ],
)
def test_a_clock_is_wrong_by_no_more_than_asking_can_tell(
    there_seconds: float, took_seconds: float, verdict: Verdict
) -> None:
    there = NOW + timedelta(seconds=there_seconds)

    assert examine_clock(NOW, NOW + timedelta(seconds=took_seconds), there).verdict is verdict


def test_topics_that_are_missing_or_partitioned_otherwise_are_wrong() -> None:
    existing = {topic: TopicFound("0" * 32, topic.partitions) for topic in TOPICS[1:]}
    existing[TOPICS[1]] = TopicFound("0" * 32, TOPICS[1].partitions + 1)

    missing, other = examine_topics(existing, KafkaSettings(prefix="p."))

    assert (missing.verdict, other.verdict) == (Verdict.WRONG, Verdict.WRONG)
    assert f"p.{TOPICS[0].name}" in missing.text
    assert missing.remedy == "run: fanfold topics sync"
    assert f"p.{TOPICS[1].name} has {TOPICS[1].partitions + 1} partitions" in other.text


def test_topics_as_the_registry_says_are_well() -> None:
    [finding] = examine_topics({t: TopicFound("0" * 32, t.partitions) for t in TOPICS}, KafkaSettings())

    assert finding.verdict is Verdict.OK


def test_each_key_that_is_not_set_is_noted_with_what_it_closes() -> None:
    findings = examine_settings(Settings.model_validate({"events": {"tokens": ["t"]}}))

    assert [finding.remedy for finding in findings] == [
        "set FANFOLD_CHAT__SECRETS",
        "set FANFOLD_CHAT__ACCESS_TOKENS",
        "set FANFOLD_CHAT__TOKEN_KEY",
        "set FANFOLD_OPERATORS__TOKENS",
    ]
    assert {finding.verdict for finding in findings} == {Verdict.NOTE}


def test_templates_that_would_keep_a_router_from_starting_are_named(tmp_path: Path) -> None:
    sound = examine_templates(None)
    (tmp_path / "order.paid.en.toml").write_text('title = "{{ order"')
    broken = examine_templates(tmp_path)
    missing = examine_templates(tmp_path / "nowhere")

    assert (sound.verdict, broken.verdict, missing.verdict) == (Verdict.OK, Verdict.WRONG, Verdict.WRONG)
    assert "order.paid.en" in broken.text
    assert "nowhere" in missing.text
