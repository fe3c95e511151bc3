"""The files to deploy with say what the code knows: commands, variables, ports, addresses and figures."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest
from typer.main import get_command

from api.__main__ import cli
from domain.figures import REGISTRY
from domain.settings import Settings
from tests.architecture.sources import ROOT

UNITS = sorted((ROOT / "deploy/systemd").glob("*.service"))
VARIABLES = {str(field.alias) for field in Settings.model_fields.values()}
HEALTH = {"/health/live", "/health/ready"}
GRACE_SECONDS = 12
"""A worker is given 10 s by the code; whatever stops it gives it more."""


def documents(path: str) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all((ROOT / path).read_text()) if each]


def commands() -> set[str]:
    return set(get_command(cli).commands)  # type: ignore[attr-defined]


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def careline_services() -> dict[str, dict[str, Any]]:
    (compose,) = documents("compose.yaml")
    return {name: each for name, each in compose["services"].items() if each["image"] == "careline"}


def pods() -> dict[str, dict[str, Any]]:
    return {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]
        for each in documents("deploy/kubernetes/careline.yaml")
        if each["kind"] in ("Deployment", "Job")
    }


def test_compose_runs_two_of_each_and_the_migration_first() -> None:
    services = careline_services()
    assert set(services) == {"migrate", "api", "worker"}
    for name, service in services.items():
        assert service["command"][0] in commands()
        assert service["read_only"] and service["cap_drop"] == ["ALL"]
        assert set(service["environment"]) <= VARIABLES
        if name != "migrate":
            assert service["deploy"]["replicas"] == 2
            assert service["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
            assert seconds(service["stop_grace_period"]) >= GRACE_SECONDS
            assert any(path in service["healthcheck"]["test"][-1] for path in HEALTH)
    (compose,) = documents("compose.yaml")
    bus = compose["services"]["valkey"]["command"]
    assert bus[bus.index("--maxmemory-policy") + 1] == "noeviction"


def test_pods_have_probes_time_to_stop_and_no_privileges() -> None:
    assert set(pods()) == {"careline-migrate", "careline-api", "careline-worker"}
    for name, pod in pods().items():
        (container,) = pod["containers"]
        assert container["args"][0] in commands()
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        if name == "careline-migrate":
            continue
        assert pod["terminationGracePeriodSeconds"] >= GRACE_SECONDS
        ports = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["httpGet"]["path"] in HEALTH
            assert container[probe]["httpGet"]["port"] in ports
        assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"


def test_every_deployment_keeps_one_pod_and_its_selectors_find_its_pods() -> None:
    found = documents("deploy/kubernetes/careline.yaml")
    labels = [
        each["spec"]["template"]["metadata"]["labels"] for each in found if each["kind"] == "Deployment"
    ]
    budgets = [each["spec"] for each in found if each["kind"] == "PodDisruptionBudget"]
    assert [budget["selector"]["matchLabels"] for budget in budgets] == labels
    assert {budget["minAvailable"] for budget in budgets} == {1}
    (service,) = [each["spec"] for each in found if each["kind"] == "Service"]
    assert service["selector"] in labels
    secrets = [each["stringData"] for each in found if each["kind"] == "Secret"]
    assert len(secrets) == 2 and all(set(secret) <= VARIABLES for secret in secrets)


MIGRATE = ["migrate", "--grant-to", "careline"]
"""As the owner of the tables, for the role that serves and works."""


def test_only_the_migration_is_told_who_owns_the_tables() -> None:
    """What serves must not: row-level security would not hold for it."""
    for name, service in careline_services().items():
        owns = "careline_owner" in service["environment"]["DATABASE_URL"]
        assert owns is (name == "migrate") is (service["command"] == MIGRATE)
    for name, pod in pods().items():
        (container,) = pod["containers"]
        (given,) = container["envFrom"]
        owner = given["secretRef"]["name"] == "careline-owner"
        assert owner is (name == "careline-migrate") is (container["args"] == MIGRATE)
    for unit in UNITS:
        text = unit.read_text()
        migrates = unit.stem == "careline-migrate"
        assert (f"/careline/{'migrate' if migrates else 'careline'}.env\n" in text) is True
        assert (f"careline {' '.join(MIGRATE)}\n" in text) is migrates
    folder = ROOT / "deploy/systemd"
    assert "careline_owner" in (folder / "migrate.env.example").read_text()
    assert "careline_owner" not in (folder / "careline.env.example").read_text()
    made = (ROOT / "deploy/roles.sql").read_text()
    assert "CREATE ROLE careline LOGIN NOSUPERUSER NOBYPASSRLS" in made


def test_the_image_is_built_in_two_stages_from_hashes_and_runs_as_nobody() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert len(re.findall(r"^FROM ", text, re.M)) == 2
    assert re.search(
        r"--require-hashes \\\n +-r /opt/requirements.lock -r /opt/requirements-otel.lock$", text, re.M
    )
    last = text.rpartition("\nFROM ")[2]
    user = re.search(r"^USER (\d+)$", last, re.M)
    assert user and int(user[1]) > 0
    assert set(re.findall(r"(CARELINE_\w+)=", text)) <= VARIABLES
    assert 'ENTRYPOINT ["python", "-m", "api"]' in last
    copied = set(re.findall(r"^COPY (\w+) /srv", text, re.M))
    kept = set((ROOT / ".dockerignore").read_text().split())
    assert copied == {"api", "domain", "jobs"}
    assert {f"!{name}" for name in copied | {"requirements.lock", "requirements-otel.lock"}} <= kept


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_runs_a_command_as_its_own_user_and_gives_it_time_to_stop(unit: Path) -> None:
    lines = [line for line in unit.read_text().splitlines() if "=" in line and not line.startswith("#")]
    said = dict(line.split("=", 1) for line in lines)
    assert said["ExecStart"].split()[0] == "/opt/careline/bin/careline"
    assert said["ExecStart"].split()[1] in commands()
    assert said["User"] == "careline"
    assert said["Type"] == "oneshot" or seconds(said["TimeoutStopSec"]) >= GRACE_SECONDS
    for example in (ROOT / "deploy/systemd").glob("*.env.example"):
        assert set(re.findall(r"^(\w+)=", example.read_text(), re.M)) <= VARIABLES


SYSTEMD = {
    "Unit": ("After Description Documentation StartLimitIntervalSec Wants"),
    "Service": (
        "CapabilityBoundingSet EnvironmentFile ExecStart Group KillMode LockPersonality "
        "NoNewPrivileges PrivateDevices PrivateTmp ProtectControlGroups ProtectHome "
        "ProtectKernelModules ProtectKernelTunables ProtectSystem Restart RestartSec "
        "RestrictAddressFamilies RestrictSUIDSGID StateDirectory StateDirectoryMode "
        "SystemCallArchitectures TimeoutStartSec TimeoutStopSec Type UMask User WorkingDirectory"
    ),
    "Install": ("WantedBy"),
}
"""By section, the keys of systemd that the units use: for a machine that has no systemd to ask."""


def strange(text: str) -> list[str]:
    """The keys that stand in a section that does not know them."""
    found, section = [], ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif "=" in line and not line.startswith("#"):
            key = line.partition("=")[0]
            if key not in SYSTEMD.get(section, "").split():
                found.append(f"{section}: {key}")
    return found


def test_the_units_say_nothing_that_systemd_does_not_know() -> None:
    assert len(UNITS) == 3
    for unit in UNITS:
        assert strange(unit.read_text()) == []
        assert strange(f"{unit.read_text()}\n[Service]\nRestartNever=yes\n") == ["Service: RestartNever"]


def test_systemd_itself_takes_the_units_where_there_is_one(tmp_path: Path) -> None:
    def verified(spoil: str = "") -> subprocess.CompletedProcess[str]:
        for unit in UNITS:  # the program is not installed here
            text = unit.read_text().replace("/opt/careline/bin/careline", "/bin/true")
            (tmp_path / unit.name).write_text(text + spoil)
        files = [str(tmp_path / unit.name) for unit in UNITS]
        return subprocess.run(
            ["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True, timeout=60
        )

    if not shutil.which("systemd-analyze"):
        return  # the test above has said what can be said without
    done = verified()
    assert (done.returncode, done.stderr) == (0, "")
    assert "Unknown key" in verified("\n[Service]\nRestartNever=yes\n").stderr


def exported() -> set[str]:
    """The names of all figures: those counted here, and those that `jobs/vitals.py` reads."""
    counted = re.findall(r"^# TYPE (careline_\w+)", generate_latest(REGISTRY).decode(), re.M)
    sources = (ROOT / "jobs/vitals.py").read_text() + (ROOT / "api/health.py").read_text()
    return {name for name in counted if not name.endswith("_created")} | set(
        re.findall(r'"(careline_\w+)"', sources)
    )


def test_every_figure_is_explained_and_every_alarm_is_about_one() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    table = page.partition("## What to watch")[2]
    explained = set(re.findall(r"`(careline_\w+)", table))
    assert explained == exported()
    (rules,) = documents("deploy/prometheus/alerts.yaml")
    asked = {
        re.sub(r"_(bucket|count|sum)$", "", name)
        for group in rules["groups"]
        for rule in group["rules"]
        for name in re.findall(r"careline_\w+", rule["expr"])
    }
    assert len(asked) > 12
    assert asked <= exported()


def test_the_page_names_only_files_variables_and_commands_that_there_are() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    for path in re.findall(r"`?((?:deploy|tests|docs)/[\w./-]+\.\w+)", page):
        assert (ROOT / path).exists(), path
    assert set(re.findall(r"CARELINE_[A-Z_]+", page)) <= VARIABLES
    assert set(re.findall(r"(?:`|bin/)careline (\w+)", page)) <= commands()
