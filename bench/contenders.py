"""Who is measured: the gateway as its users run it, nginx as the floor, `bench.bare` between."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from bench.keys import make_keys
from bench.load import SERVED, Load, Target
from bench.process import PATIENCE_S, free_port, running, wait_for

SOURCE: Final = Path(__file__).parents[1] / "src"
COMMAND: Final = (sys.executable, "-c", "from dragoman.cli.main import main; main()")
BARE_KEY: Final = "sk-bench"
NGINX_CONF: Final = """
daemon off;
master_process off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {directory}/client;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    scgi_temp_path {directory}/scgi;
    uwsgi_temp_path {directory}/uwsgi;
    upstream mock {{
        server 127.0.0.1:{upstreams.port};
        keepalive 256;
        keepalive_requests 1000000000;
    }}
    upstream secure {{
        server 127.0.0.1:{upstreams.tls_port};
        keepalive 256;
        keepalive_requests 1000000000;
    }}
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_buffering off;
    proxy_ssl_trusted_certificate {upstreams.ca};
    proxy_ssl_verify on;
    proxy_ssl_name localhost;
    proxy_ssl_server_name on;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://mock; }}
        location /tls/ {{ proxy_pass https://secure/; }}
    }}
}}
"""


class Upstreams(msgspec.Struct, frozen=True, kw_only=True):
    """The mock upstreams: without TLS, and with a certificate of `ca` for localhost."""

    port: int
    tls_port: int
    ca: Path


class Contender(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who listens: where, as which process, and how to ask."""

    name: str
    url: str
    pid: int
    keys: Path
    headers: tuple[tuple[str, str], ...] = ()
    first_answer_s: float = 0.0
    """From its start to its first answer."""
    routes: bool = False
    """Whether it knows models by names of its own, and chooses among endpoints."""
    slow: int = 1
    """How many times longer it is loaded, since it serves so few."""

    def model(self, load: Load) -> str:
        """Return what it is asked for."""
        return load.model if self.routes else load.upstream

    def target(self, load: Load) -> Target:
        """Return where to send a load."""
        url = self.url.replace("/v1", "/tls/v1") if load.tls and not self.routes else self.url
        return Target(url=url, keys=self.keys, headers=self.headers)


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """How a gateway is set up: its sources, how many keys, further settings."""

    name: str = "dragoman"
    source: Path = SOURCE
    keys: int = 1
    settings: dict[str, Any] = {}


def nginx_path() -> str | None:
    """Return where nginx is, None if it is not installed."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextmanager
def mocks(directory: Path, ca: Path, certificate: Path, key: Path) -> Iterator[Upstreams]:
    """Run the mock upstream twice, with and without TLS."""
    plain, secure = free_port(), free_port()
    log, tls_log = directory / "upstream.log", directory / "upstream-tls.log"
    command = [sys.executable, "-m", "bench.upstream"]
    with (
        running([*command, str(plain)], os.environ, log),
        running([*command, str(secure), str(certificate), str(key)], os.environ, tls_log),
    ):
        wait_for(plain, log)
        wait_for(secure, tls_log)
        yield Upstreams(port=plain, tls_port=secure, ca=ca)


@contextmanager
def nginx(program: str, upstreams: Upstreams, directory: Path) -> Iterator[Contender]:
    """Run nginx as a proxy with one worker, keeping connections alive on both sides."""
    port = free_port()
    conf, log = directory / "nginx.conf", directory / "nginx.log"
    conf.write_text(NGINX_CONF.format(directory=directory, upstreams=upstreams, port=port))
    command = [program, "-p", str(directory), "-e", "stderr", "-c", str(conf)]
    keys = key_file(directory / "nginx.keys", ["none"])
    with running(command, {}, log) as pid:
        wait_for(port, log)
        yield Contender(name="nginx", url=f"http://127.0.0.1:{port}/v1", pid=pid, keys=keys)


@contextmanager
def bare(upstreams: Upstreams, directory: Path) -> Iterator[Contender]:
    """Run the yardstick."""
    port, log = free_port(), directory / "bare.log"
    command = [sys.executable, "-m", "bench.bare", str(port), str(upstreams.port), BARE_KEY]
    keys = key_file(directory / "bare.keys", [BARE_KEY])
    with running(command, os.environ, log) as pid:
        wait_for(port, log)
        yield Contender(name="bare", url=f"http://127.0.0.1:{port}/v1", pid=pid, keys=keys)


@contextmanager
def gateway(setup: Setup, upstreams: Upstreams, directory: Path) -> Iterator[Contender]:
    """Run the gateway with one process, keys, and hosts that are all the mock upstream."""
    port = free_port()
    directory.mkdir(exist_ok=True)
    data, config, log = directory / "data", directory / "dragoman.yaml", directory / "gateway.log"
    settings = {"providers": hosts(upstreams), **setup.settings}
    config.write_text(yaml.safe_dump(settings, sort_keys=False))
    env = {
        "HOME": str(directory),
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(setup.source),
        "SSL_CERT_FILE": str(upstreams.ca),
    }
    texts = [make_key(data, env)] if setup.keys == 1 else make_keys(data, setup.keys)
    keys = key_file(directory / "keys", texts)
    command = [*COMMAND, "serve", "--port", str(port), "--data", str(data), "--config", str(config)]
    started = time.monotonic()
    with running(command, env, log) as pid:
        url = f"http://127.0.0.1:{port}/api/v1"
        wait_for(port, log)
        first_answer(f"{url}/chat/completions", texts[0], SERVED[0].model, log)
        took_s = time.monotonic() - started
        yield Contender(
            name=setup.name, url=url, pid=pid, keys=keys, first_answer_s=took_s, routes=True
        )


def hosts(upstreams: Upstreams) -> dict[str, object]:
    """Return the `providers` of a configuration: so many hosts that each load has its endpoints.

    The hosts with TLS are others than those without, since a host has one address.
    """
    plain = f"http://127.0.0.1:{upstreams.port}/v1"
    secure = f"https://localhost:{upstreams.tls_port}/v1"
    return {
        **_hosts("host", plain, [load for load in SERVED if not load.tls]),
        **_hosts("secure", secure, [load for load in SERVED if load.tls]),
    }


def make_key(data: Path, env: Mapping[str, str]) -> str:
    """Make a key with the command that scripts use, of the sources that `env` leads to.

    They may be older than ours, and then would not open a database that we made.
    """
    command = [*COMMAND, "keys", "create", "bench", "--data", str(data), "--json"]
    made = subprocess.run(command, check=True, capture_output=True, env=env).stdout
    key: str = json.loads(made)["key"]
    return key


def key_file(path: Path, keys: list[str]) -> Path:
    """Write keys as wrk's script reads them."""
    path.write_text("".join(f"{key}\n" for key in keys))
    return path


def first_answer(
    url: str, key: str, model: str, log: Path, headers: Mapping[str, str] | None = None
) -> None:
    """Ask until there is an answer. Raises SystemExit with the reason when there is none."""
    body = {"model": model, "messages": [{"role": "user", "content": "Are you there?"}]}
    sent = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, json.dumps(body).encode(), sent)
    end = time.monotonic() + PATIENCE_S
    reason = ""
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                answer.read()
                return
        except urllib.error.HTTPError as error:
            reason = error.read().decode()
        except OSError as error:
            reason = str(error)
        time.sleep(0.01)
    raise SystemExit(f"{url} does not answer: {reason}\n{log.read_text()[-4000:]}")


def _hosts(name: str, base_url: str, loads: list[Load]) -> dict[str, object]:
    count = max(load.endpoints for load in loads)
    return {
        f"{name}-{number:02}": {
            "dialect": "openai",
            "base_url": base_url,
            "api_key": "none",
            "models": {load.model: _model(load) for load in loads if number < load.endpoints},
        }
        for number in range(count)
    }


def _model(load: Load) -> dict[str, object]:
    price = {"prompt": 0.000001, "completion": 0.000002}
    return {"upstream": load.upstream, "context": 128_000, "max_output": 16_384, "price": price}
