"""What is shipped for a cluster: Docker is not needed to see that it says what we understand."""

import configparser
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
import yaml

from bench.cluster.node import COMMAND, Plan, environ, town
from bench.cluster.services import adapted
from dragoman.catalog import shipped
from dragoman.cli import checks
from dragoman.cli.exits import USAGE
from dragoman.config import DATABASE_URL, REDIS_URL, load
from dragoman.store.options import DatabaseOptions
from dragoman.web.options import ServerOptions
from tests.conftest import Needs

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"
VARIABLE: Final = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")
DURATION: Final = {"type": "string", "pattern": r"^\d+(s|m|h)$"}
WORDS: Final = {"type": "array", "items": {"type": "string"}, "minItems": 1}


def _only(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


HEALTHCHECK: Final = _only(
    {"test": WORDS, "interval": DURATION, "timeout": DURATION, "retries": {"type": "integer"}},
    "test",
)
CONDITIONS: Final = ("service_started", "service_healthy", "service_completed_successfully")
CONDITION: Final = _only(
    {"condition": {"enum": [*CONDITIONS]}, "restart": {"type": "boolean"}}, "condition"
)
SERVICE: Final = _only(
    {
        "image": {"type": "string", "pattern": r"^[a-z/]+(:\d[\w.-]*)?$"},
        "build": _only({"context": {"type": "string"}, "dockerfile": {"type": "string"}}),
        "command": WORDS,
        "entrypoint": WORDS,
        "environment": {"type": "object", "additionalProperties": {"type": "string"}},
        "restart": {"enum": ["no", "always", "on-failure", "unless-stopped"]},
        "stop_grace_period": DURATION,
        "ulimits": {"type": "object", "additionalProperties": {"type": "integer"}},
        "ports": WORDS,
        "volumes": WORDS,
        "healthcheck": HEALTHCHECK,
        "depends_on": {"type": "object", "additionalProperties": CONDITION},
    },
    "image",
    "restart",
)
SUBNET: Final = _only({"subnet": {"type": "string"}}, "subnet")
NETWORK: Final = _only({"ipam": _only({"config": {"type": "array", "items": SUBNET}})})
COMPOSE: Final = {
    **_only(
        {
            "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$"},
            "services": {"type": "object", "additionalProperties": SERVICE},
            "volumes": {"type": "object", "additionalProperties": {"type": "null"}},
            "networks": {"type": "object", "additionalProperties": NETWORK},
        },
        "services",
    ),
    "patternProperties": {"^x-": {}},
}
"""The part of the Compose Specification that we use (its `compose-spec.json`)."""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


def substituted(text: str, given: dict[str, str]) -> str:
    """Do what Compose does with `${NAME:-default}` and `${NAME:?why}`, and with `$$`."""

    def value(found: re.Match[str]) -> str:
        name, how, rest = found.groups()
        assert name in given or how is not None, f"{name} has no default"
        assert name in given or how == "-", f"{name} has to be set"
        return given.get(name, rest)

    return VARIABLE.sub(value, text).replace("$$", "$")


def environment(service: dict[str, Any]) -> dict[str, str]:
    given = {"POSTGRES_PASSWORD": "secret"}
    return {name: substituted(value, given) for name, value in service["environment"].items()}


def test_the_compose_file_is_one(compose: dict[str, Any]) -> None:
    jsonschema.validate(compose, COMPOSE)


def test_what_the_compose_file_names_is_there(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services), name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            there = (DEPLOY / source).exists() if source[0] == "." else source in compose["volumes"]
            assert there, f"{name}: {volume}"
        if build := service.get("build"):
            assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()
    waited_for = {
        (other, how["condition"])
        for service in services.values()
        for other, how in service.get("depends_on", {}).items()
    }
    for name, condition in waited_for:
        checked = "healthcheck" in services[name] or "build" in services[name]
        assert condition != "service_healthy" or checked, f"nobody tells whether {name} is healthy"


@pytest.mark.parametrize("node", ["node-1", "node-2", "init"])
def test_every_setting_of_a_node_is_known(compose: dict[str, Any], node: str) -> None:
    service = compose["services"][node]
    given = environment(service)
    options = load(None, given)
    assert options.database.url == given[DATABASE_URL]
    assert options.redis.url == given[REDIS_URL]
    assert options.server.hosts == ("localhost",)
    (subnet,) = compose["networks"]["default"]["ipam"]["config"]
    assert options.server.trusted_proxies == (subnet["subnet"],)
    others = {name for name in given if not name.startswith("DRAGOMAN__")}
    known = {name for host in shipped.load().providers.values() for name in host.keys}
    assert others <= known | {DATABASE_URL, REDIS_URL}
    if node != "init":
        assert int(service["stop_grace_period"].rstrip("s")) > options.server.drain_s


def test_a_database_that_is_still_being_made_does_not_count_as_one(compose: dict[str, Any]) -> None:
    # The image makes it with a server of its own, which only its socket reaches, and ends that.
    check = compose["services"]["postgres"]["healthcheck"]["test"]
    assert check[check.index("-h") + 1] == "127.0.0.1"


def test_addresses_lead_to_services(compose: dict[str, Any]) -> None:
    given = environment(compose["services"]["node-1"])
    postgres = environment(compose["services"]["postgres"])
    assert f"//{postgres['POSTGRES_USER']}:secret@postgres:5432/" in given[DATABASE_URL]
    assert given[DATABASE_URL].endswith(f"/{postgres['POSTGRES_DB']}")
    assert given[REDIS_URL].startswith("redis://valkey:")
    conf = (DEPLOY / "nginx.conf").read_text()
    servers = set(re.findall(r"server ([\w-]+):4000 ", conf))
    assert servers == {name for name in compose["services"] if name.startswith("node-")}
    (port,) = compose["services"]["balancer"]["ports"]
    (listens,) = re.findall(r"listen (\d+);", conf)
    assert port.endswith(f":{listens}")


def test_the_balancer_is_what_nginx_understands(needs: Needs, tmp_path: Path) -> None:
    conf = tmp_path / "nginx.conf"
    conf.write_text(adapted((DEPLOY / "nginx.conf").read_text(), tmp_path, 18080, [4001, 4002]))
    command = [needs("nginx"), "-t", "-e", "stderr", "-c", str(conf)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr.decode()
    with pytest.raises(ValueError, match="another number"):
        adapted(conf.read_text(), tmp_path, 18080, [4001])


def test_the_first_start_gives_both_nodes_the_same_secrets(
    compose: dict[str, Any], tmp_path: Path, postgres_state: DatabaseOptions
) -> None:
    init = compose["services"]["init"]
    (script,) = init["command"]
    for number in ("1", "2"):
        (tmp_path / number).mkdir(mode=0o700)
    program = tmp_path / "dragoman"
    program.write_text(f"#!/bin/sh\nexec '{COMMAND[0]}' {COMMAND[1]} '{COMMAND[2]}' \"$@\"\n")
    program.chmod(0o700)
    assert postgres_state.url is not None
    given = {
        **environ(),
        DATABASE_URL: postgres_state.url,
        "DRAGOMAN__DATABASE__SCHEMA": postgres_state.schema,
    }
    given["PATH"] = f"{tmp_path}:{given['PATH']}"
    command = [*init["entrypoint"], substituted(script, {}).replace("/nodes/", f"{tmp_path}/")]
    printed = [
        subprocess.run(command, env=given, capture_output=True, text=True, check=True, timeout=60)
        for _ in range(2)
    ]
    assert len(re.findall(r"\bsk-dm-v1-\w+", printed[0].stdout)) == 2
    assert "sk-dm-v1-" not in printed[1].stdout, "a second start makes no keys"
    for secret in ("pepper", "kek"):
        mine, other = tmp_path / "1" / secret, tmp_path / "2" / secret
        assert mine.read_bytes() == other.read_bytes()
        assert stat.S_IMODE(other.stat().st_mode) == 0o600


def test_the_image_runs_as_nobody_in_particular_and_tells_how_it_is(tmp_path: Path) -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    assert copied
    shown = (ROOT / ".dockerignore").read_text()
    for source in " ".join(copied).split():
        assert (ROOT / source).exists(), source
        assert f"!{source.split('/')[0]}\n" in shown, f"{source} is not sent to the builder"
    users = re.findall(r"^USER (\w+)$", text, re.MULTILINE)
    assert users == ["dragoman"]
    assert text.index("USER dragoman") < text.index("ENTRYPOINT")
    assert all("latest" not in image for image in re.findall(r"^FROM (\S+)", text, re.MULTILINE))
    (check,) = re.findall(r'^    CMD \["python", "-c", "(.+)"\]$', text, re.MULTILINE)
    assert "/healthz" in check
    with town(tmp_path, Plan()) as found:
        given = {**environ(), "DRAGOMAN__SERVER__PORT": str(found.ports[0])}
        subprocess.run([sys.executable, "-c", check], env=given, check=True, timeout=30)
    gone = subprocess.run(
        [sys.executable, "-c", check], env=given, check=False, capture_output=True, timeout=30
    )
    assert gone.returncode == 1


def test_the_unit_of_systemd_waits_for_open_requests_and_asks_for_files_enough() -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment]  # names of systemd have capitals
    unit.read(DEPLOY / "dragoman.service")
    service = unit["Service"]
    assert int(service["TimeoutStopSec"]) > ServerOptions().drain_s
    assert int(service["LimitNOFILE"]) >= checks.FEW_FILES
    assert service["RestartPreventExitStatus"] == str(USAGE)
    words = shlex.split(service["ExecStart"])
    assert [Path(words[0]).name, words[1]] == ["dragoman", "serve"]
    assert words[3].endswith(f"/{service['StateDirectory']}")
