"""What the documentation speaks of is there."""

import re
from pathlib import Path

import pytest

from config.settings import Settings
from workers.cli import app

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]+)(#[^)\s]*)?\)")
# In code only: prose may say "make sure" and "fanfold folds".
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)


def code_of(page: Path) -> str:
    return "\n".join(CODE.findall(page.read_text()))


@pytest.fixture(params=PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def page(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_every_link_leads_to_a_file(page: Path) -> None:
    assert [link for link, _ in LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []


def test_every_target_of_make_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"\bmake ([a-z][a-z-]*)", code_of(page))) <= targets


def test_every_command_exists(page: Path) -> None:
    groups = {group.name for group in app.registered_groups}
    commands = {command.name or command.callback.__name__ for command in app.registered_commands} | groups

    assert set(re.findall(r"(?:^|[`/ (])fanfold ([a-z][a-z-]*)", code_of(page), re.MULTILINE)) <= commands


def test_every_setting_exists(page: Path) -> None:
    known = {
        f"FANFOLD_{part}__{name}".upper()
        for part, values in Settings.model_construct().model_dump().items()
        for name in values
    }

    assert set(re.findall(r"\bFANFOLD_[A-Z_]+\b", page.read_text())) - known <= TESTS_OWN


TESTS_OWN = {"FANFOLD_TEST_KAFKA", "FANFOLD_TEST_STORE", "FANFOLD_KAFKA_OPTIONAL", "FANFOLD_"}
"""What only the tests read, and the prefix itself."""
