"""The files for containers, Kubernetes and systemd: judged by the tools that read them, and against our own rules."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs import interfaces

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "latchpin"
UNIT = DEPLOY / "systemd" / "latchpin.service"
OWN_SECRET = ("--set", "secrets.name=mine")
URL = ("--set", "baseUrl=https://gateway.example.com")
KUBERNETES = ("1.27", "1.37")
"""The oldest that the chart is for, and one of today."""


def run(program: str, *arguments: str | Path, given: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name(program)), *map(str, arguments)]
    return subprocess.run(command, input=given or "", capture_output=True, text=True, check=False, cwd=ROOT)


def accepted(program: str, *arguments: str | Path) -> str:
    done = run(program, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rendered(*options: str) -> dict[str, dict[str, Any]]:
    """What the chart makes, by kind."""
    documents = yaml.safe_load_all(accepted("helm", "template", "release", CHART, *options))
    return {each["kind"]: each for each in documents if each}


def settings_in(environment: dict[str, Any]) -> set[str]:
    return {name for name in environment if not name.startswith(("POSTGRES_", "PYTHON", "PATH"))}


@pytest.fixture(scope="module")
def known() -> set[str]:
    """Every name that a setting has, of a secret's file among them."""
    return interfaces.known_settings().keys() | interfaces.setting_aliases()


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return document


# -- the image ------------------------------------------------------------------------------------------------------


def test_the_containerfile_is_sound(known):
    accepted("hadolint", DEPLOY / "Containerfile")
    text = (DEPLOY / "Containerfile").read_text()
    assert "USER 10001:10001" in text.rpartition("FROM")[2]
    named = set(re.findall(r"^    ([A-Z_]+)=", text.rpartition("FROM")[2], re.MULTILINE))
    assert settings_in(dict.fromkeys(named)) <= known


def test_the_image_is_built_of_folders_that_exist():
    left_out = re.search(r'LEAVE_OUT="([^"]*)"', (DEPLOY / "Containerfile").read_text())
    assert left_out is not None
    named = [*left_out[1].split(), "sql_store", "redis_store", "edge", "metrics", "audit"]
    assert [each for each in named if not (ROOT / "plugins" / each / "pyproject.toml").is_file()] == []


@pytest.mark.skipif(shutil.which("podman") is None, reason="podman is not on this machine")
def test_the_image_is_built_and_runs_on_a_root_that_is_read_only():
    build = ("podman", "build", "-f", str(DEPLOY / "Containerfile"), "-t", "latchpin-test", str(ROOT))
    for command in (build, ("podman", "run", "--rm", "--read-only", "latchpin-test", "plugins")):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


# -- the release ----------------------------------------------------------------------------------------------------


def test_the_workflow_is_one_and_each_job_has_only_the_rights_that_it_needs():
    workflow = ROOT / ".github" / "workflows" / "release.yml"
    accepted("check-jsonschema", "--builtin-schema", "vendor.github-workflows", workflow)
    document = yaml.safe_load(workflow.read_text())
    assert document["permissions"] == {}
    writers = {name for name, job in document["jobs"].items() if "write" in job["permissions"].values()}
    assert writers == {"publish"}
    assert document["jobs"]["publish"]["environment"] == "release"
    assert not any("run" in step and "pip install" in step["run"] for step in document["jobs"]["publish"]["steps"])


# -- Compose --------------------------------------------------------------------------------------------------------


def test_the_compose_file_is_what_the_specification_says(compose, known):
    accepted("check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")
    ours = {name: each for name, each in compose["services"].items() if each["image"] == "latchpin"}
    assert set(ours) == {"migrate", "gateway", "edge"}
    for service in ours.values():
        assert settings_in(service["environment"]) <= known
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]


def test_no_secret_of_the_compose_file_is_written_out(compose):
    for name, service in compose["services"].items():
        for variable, value in service.get("environment", {}).items():
            if variable.endswith("_FILE") and "/run/secrets/" in value:
                assert value.removeprefix("/run/secrets/") in service["secrets"], (name, variable)
            assert not re.search(r"SECRET$|PASSWORD$|DATABASE_URL$", variable), (name, variable)
    assert set(compose["secrets"]) == {each for one in compose["services"].values() for each in one.get("secrets", [])}


def test_only_nginx_is_reached_from_outside(compose):
    published = {name: each["ports"] for name, each in compose["services"].items() if "ports" in each}
    assert published == {"gateway": ["${PUBLISH:-127.0.0.1}:8080:8080"]}  # whose network nginx shares
    assert compose["services"]["gateway"]["environment"]["HOST"] == "127.0.0.1"
    assert "0.0.0.0:8080" in compose["services"]["edge"]["command"]


# -- Helm -----------------------------------------------------------------------------------------------------------


INGRESS = ("--set", "ingress.enabled=true", "--set", "ingress.host=gateway.example.com", "--set", "ingress.tlsSecret=t")
OWN_VALUES = ("--set", "secrets.values.AUTH_ENCRYPTION_SECRET=hidden-value", "--set", "replicas=1")


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        (OWN_SECRET, {"Deployment", "Service", "ServiceAccount", "PodDisruptionBudget", "Job"}),
        (OWN_VALUES, {"Deployment", "Service", "ServiceAccount", "Secret", "Job"}),
        ((*OWN_SECRET, *INGRESS), {"Deployment", "Service", "ServiceAccount", "PodDisruptionBudget", "Job", "Ingress"}),
        (
            (*OWN_SECRET, "--set", "migrate.enabled=false,serviceAccount.name=mine"),
            {"Deployment", "Service", "PodDisruptionBudget"},
        ),
    ],
    ids=["a secret of one's own", "values", "an ingress", "less"],
)
def test_what_the_chart_makes_is_what_kubernetes_takes(options, kinds, tmp_path):
    accepted("helm", "lint", "--strict", CHART, *URL, *options)
    assert set(rendered(*URL, *options)) == kinds
    (tmp_path / "made.yaml").write_text(accepted("helm", "template", "release", CHART, *URL, *options))
    for version in KUBERNETES:
        accepted("kubernetes-validate", "--strict", "-k", version, tmp_path / "made.yaml")


def test_pods_are_as_bare_as_the_image_allows(known):
    made = rendered(*URL, *OWN_SECRET, "--set", "settings.ADMIN_EMAILS=ann@example.com")
    for kind in ("Deployment", "Job"):
        pod = made[kind]["spec"]["template"]["spec"]
        [container] = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert not pod["automountServiceAccountToken"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert {each["name"] for each in container["env"]} <= known
        assert {"name": "DATABASE_URL_FILE", "value": "/run/secrets/DATABASE_URL"} in container["env"]


def test_the_migration_comes_first_and_the_probes_ask_the_right_questions():
    made = rendered(*URL, *OWN_SECRET)
    assert made["Job"]["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert made["Job"]["spec"]["template"]["spec"]["containers"][0]["args"] == ["db", "upgrade"]
    [container] = made["Deployment"]["spec"]["template"]["spec"]["containers"]
    asked = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    assert asked == {"startup": "/health", "liveness": "/health", "readiness": "/ready"}


def test_numbers_and_words_are_written_as_they_are():
    made = rendered(*URL, *OWN_SECRET, "--set", "settings.PROXY_HELD_BYTES=4194304,settings.AUDIT_LOG=false")
    [container] = made["Deployment"]["spec"]["template"]["spec"]["containers"]
    values = {each["name"]: each["value"] for each in container["env"]}
    assert (values["PROXY_HELD_BYTES"], values["AUDIT_LOG"]) == ("4194304", "false")


def test_a_secret_is_in_no_variable():
    made = rendered(*URL, *OWN_VALUES)
    assert made["Secret"]["stringData"] == {"AUTH_ENCRYPTION_SECRET": "hidden-value"}
    assert "hidden-value" not in str(made["Deployment"]) + str(made["Job"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (OWN_SECRET, "baseUrl"),
        ((*OWN_SECRET, "--set", "baseUrl=http://gateway.example.com"), "baseUrl"),
        (URL, "secrets"),
        ((*URL, *OWN_SECRET, "--set", "settings.DATABASE_URL=postgresql://me:pass@db/x"), "settings"),
        ((*URL, *OWN_SECRET, "--set", "settings.EDGE_SECRET=hidden"), "settings"),
        ((*URL, *OWN_SECRET, "--set", "settings.OUTBOUND_PROXY=http://me:pass@proxy"), "settings"),
        ((*URL, *OWN_SECRET, "--set", "replcas=3"), "replcas"),
        ((*URL, *OWN_SECRET, "--set", "ingress.enabled=true"), "ingress"),
    ],
    ids=[
        "no URL",
        "http",
        "no secret",
        "a secret among settings",
        "another",
        "a proxy's password",
        "a slip",
        "an ingress for no host",
    ],
)
def test_values_that_would_not_work_are_refused(options, said):
    done = run("helm", "template", "release", CHART, *options)
    assert done.returncode != 0
    assert said in done.stderr


# -- systemd --------------------------------------------------------------------------------------------------------


def test_the_unit_runs_what_there_is_and_little_else(known):
    lines = [each.partition("=") for each in UNIT.read_text().splitlines() if "=" in each and not each.startswith("#")]
    values = {key: value for key, _, value in lines}
    assert values["ExecStart"] == "/opt/latchpin/bin/latchpin serve"
    assert values["ExecStartPre"] == "/opt/latchpin/bin/latchpin db upgrade"
    assert values["ProtectSystem"] == "strict"
    assert values["NoNewPrivileges"] == "yes"
    set_here = [each.partition("=")[0] for key, _, value in lines if key == "Environment" for each in value.split()]
    assert set(set_here) <= known


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine")
def test_systemd_takes_the_unit(tmp_path):
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/latchpin/bin/latchpin", sys.executable))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Unknown" not in done.stderr
