"""The production files against the schemas and tools of those who read them: `make check-deploy`.

`promtool` is taken from PATH or from PROMTOOL; without it its tests skip, and fail where CI is set.
"""

import os
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from compose_spec import PyOptions

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy/prometheus"
KUBERNETES_VERSIONS = ("1.30", "1.37")


def test_compose_fits_its_specification() -> None:
    compose = PyOptions(apply_merge=True).from_yaml((ROOT / "docker-compose.yml").read_text())

    compose.validate()
    assert {"kafka", "mongo", "gateway", "folder-1", "clock", "prometheus", "grafana"} <= set(compose.service_names())


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
@pytest.mark.parametrize("file", sorted((ROOT / "deploy/kubernetes").glob("*.yaml")), ids=lambda file: file.stem)
def test_kubernetes_takes_every_resource(file: Path, version: str) -> None:
    for resource in yaml.safe_load_all(file.read_text()):
        if resource["kind"] != "Kustomization":  # not the server's: kustomize reads it
            kubernetes_validate.validate(resource, version, strict=True)


@pytest.fixture(scope="session")
def promtool() -> str:
    if program := os.environ.get("PROMTOOL") or shutil.which("promtool"):
        return program
    if os.environ.get("CI"):
        pytest.fail("promtool is not there: install Prometheus, or run `make promtool`")
    pytest.skip("promtool is not installed")


@pytest.mark.parametrize(
    "arguments",
    [("check", "config", "prometheus.yml"), ("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")],
    ids=" ".join,
)
def test_prometheus_takes_its_files(promtool: str, arguments: tuple[str, ...]) -> None:
    ended = subprocess.run([promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True)

    assert ended.returncode == 0, ended.stdout + ended.stderr
