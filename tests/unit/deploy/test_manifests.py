"""The production files agree with the code and with each other; `make check-deploy` holds them against schemas."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.settings import ENV_PREFIX, MetricsSettings, Settings

ROOT = Path(__file__).parents[3]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
KUBERNETES = ROOT / "deploy/kubernetes"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PLACEHOLDERS = {
    "FANFOLD_CHAT__SECRETS": '{"demo":"demo-secret"}',
    "FANFOLD_CHAT__ACCESS_TOKENS": '["token"]',
    "FANFOLD_CHAT__TOKEN_KEY": "a key that is long enough to be one",
    "FANFOLD_EVENTS__TOKENS": '["token"]',
    "FANFOLD_OPERATORS__TOKENS": '["token"]',
    "FANFOLD_PUSH__TOKENS": '["token"]',
    "FANFOLD_FILES__LINK_KEY": "a key that is long enough to be one",
    "FANFOLD_PUSH__SECRETS_KEYS": '["aGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8gaGU="]',
}


def kubernetes_resources() -> list[dict[str, Any]]:
    return [resource for file in sorted(KUBERNETES.glob("*.yaml")) for resource in yaml.safe_load_all(file.read_text())]


def settings_from(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """As a process would read them. Raises pydantic.ValidationError for any mistake."""
    monkeypatch.chdir(tmp_path)
    for name, value in environment.items():
        if name.startswith(ENV_PREFIX):
            monkeypatch.setenv(name, value)
    return Settings()


@pytest.mark.parametrize(
    "service", [name for name, service in COMPOSE["services"].items() if service.get("image") == "fanfold:local"]
)
def test_the_settings_of_each_composed_service_are_good(
    service: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment = COMPOSE["services"][service]["environment"]
    filled = {name: PLACEHOLDERS.get(name, "") if "${" in value else value for name, value in environment.items()}

    settings = settings_from(filled, monkeypatch, tmp_path)

    assert settings.kafka.bootstrap == "kafka:9092"


def test_services_wait_for_services_that_are_there() -> None:
    services = COMPOSE["services"]

    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= services.keys(), name


def test_prometheus_looks_for_every_service_that_reports() -> None:
    prometheus = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    [job] = prometheus["scrape_configs"]
    [names] = job["dns_sd_configs"]
    lasting = {
        name
        for name, service in COMPOSE["services"].items()
        if service.get("image") == "fanfold:local" and service["command"] != ["topics", "sync"]
    }

    assert set(names["names"]) == lasting
    assert names["port"] == MetricsSettings().port


def test_the_settings_in_kubernetes_are_good(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    resources = {resource["kind"]: resource for resource in kubernetes_resources()}
    environment = {**resources["ConfigMap"]["data"], **resources["Secret"]["stringData"]}

    settings = settings_from(environment, monkeypatch, tmp_path)

    assert settings.kafka.replication == 3


def test_kustomize_applies_every_file() -> None:
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    files = {file.name for file in KUBERNETES.glob("*.yaml")} - {"kustomization.yaml"}

    assert set(kustomization["resources"]) == files


def test_pods_are_killed_only_after_their_time_to_drain() -> None:
    for resource in kubernetes_resources():
        if resource["kind"] in {"Deployment", "StatefulSet"}:
            seconds = resource["spec"]["template"]["spec"].get("terminationGracePeriodSeconds", 30)
            assert seconds > max(Settings.model_construct().gateway.drain_seconds, 10.0), resource["metadata"]["name"]


def test_the_image_holds_every_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {pattern.removesuffix("*") for pattern in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    copied = set(re.findall(r"^COPY (\w+) \1$", DOCKERFILE, re.MULTILINE))

    assert copied == packages


def test_the_image_asks_for_its_health_where_it_is_told() -> None:
    port = MetricsSettings().port

    assert f"http://127.0.0.1:{port}/healthz" in DOCKERFILE
    assert re.search(rf"^EXPOSE .*\b{port}\b", DOCKERFILE, re.MULTILINE)


def test_the_image_does_not_run_as_root() -> None:
    user = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)[-1]

    assert user not in {"root", "0"}
