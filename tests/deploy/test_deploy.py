"""The container files: what they promise, and that it fits the server. No container is run."""

import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from residua.cli.main import app
from residua.serve.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


@pytest.fixture(scope="module")
def manifests():
    return {each["kind"]: each for each in yaml.safe_load_all(read("kubernetes.yaml"))}


def read(name):
    return (DEPLOY / name).read_text(encoding="utf-8")


def test_the_image_runs_as_nobody_and_copies_what_is_there():
    lines = [line.strip() for line in re.sub(r"\\\n", " ", read("Dockerfile")).splitlines()]
    steps = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    last = [rest for word, rest in steps if word == "USER"][-1]
    assert last not in {"root", "0"}
    assert not any(":latest" in rest for word, rest in steps if word == "FROM")
    for word, rest in steps:
        if word == "COPY" and "--from" not in rest and "${" not in rest:
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source


def test_the_options_that_containers_give_are_the_servers():
    told = CliRunner().invoke(app, ["serve", "--help"]).stdout
    given = set(re.findall(r'"(--[a-z-]+)"', read("Dockerfile") + read("kubernetes.yaml")))
    assert given
    for option in given:
        assert option in told


def test_a_pod_has_time_to_drain(manifests):
    pod = manifests["Deployment"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    delay = float(container["args"][container["args"].index("--drain-delay") + 1])
    assert pod["terminationGracePeriodSeconds"] > delay + Settings().grace
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]


def test_probes_ask_what_the_server_answers(manifests, server):
    [container] = manifests["Deployment"]["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = container[name]["httpGet"]
        assert server.ask("GET", probe["path"]).status == 200
        assert ports[probe["port"]] == Settings().port
    assert ports["grpc"] == Settings().grpc_port
    note = manifests["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert server.ask("GET", note["prometheus.io/path"]).status == 200


def test_compose_publishes_on_loopback_only_and_waits_for_the_drain():
    service = yaml.safe_load(read("compose.yaml"))["services"]["residua"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["read_only"]
    assert float(service["stop_grace_period"].rstrip("s")) > Settings().grace
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
