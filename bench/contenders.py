"""Who is measured: the gateway as its users run it, and nginx as the floor beneath it."""

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import yaml

from bench.load import LOADS, Load
from bench.process import PATIENCE_S, free_port, running, wait_for

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
        server 127.0.0.1:{upstream};
        keepalive 256;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://mock;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
"""


class Contender(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who listens: where, as which process, and how to ask."""

    url: str
    pid: int
    key: str = "none"
    first_answer_s: float | None = None
    """From its start to its first answer."""


def nginx_path() -> str | None:
    """Return where nginx is, None if it is not installed."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextmanager
def nginx(program: str, upstream: int, directory: Path) -> Iterator[Contender]:
    """Run nginx as a proxy with one worker, keeping connections alive on both sides."""
    port = free_port()
    conf, log = directory / "nginx.conf", directory / "nginx.log"
    conf.write_text(NGINX_CONF.format(directory=directory, upstream=upstream, port=port))
    command = [program, "-p", str(directory), "-e", "stderr", "-c", str(conf)]
    with running(command, {}, log) as pid:
        wait_for(port, log)
        yield Contender(url=f"http://127.0.0.1:{port}/v1", pid=pid)


@contextmanager
def gateway(program: str, upstream: int, directory: Path) -> Iterator[Contender]:
    """Run the gateway with one process, a key, and hosts that are all the mock upstream."""
    port = free_port()
    data, config, log = directory / "data", directory / "dragoman.yaml", directory / "gateway.log"
    config.write_text(yaml.safe_dump({"providers": hosts(upstream)}, sort_keys=False))
    env = {"HOME": str(directory), "PATH": os.environ.get("PATH", "")}
    key = make_key(program, data, env)
    command = [program, "serve", "--port", str(port), "--data", str(data), "--config", str(config)]
    started = time.monotonic()
    with running(command, env, log) as pid:
        url = f"http://127.0.0.1:{port}/api/v1"
        wait_for(port, log)
        _first_answer(url, key, log)
        yield Contender(url=url, pid=pid, key=key, first_answer_s=time.monotonic() - started)


def hosts(upstream: int) -> dict[str, object]:
    """Return the `providers` of a configuration: so many hosts that each load has its endpoints."""
    count = max(load.endpoints for load in LOADS)
    return {
        f"host-{number:02}": {
            "dialect": "openai",
            "base_url": f"http://127.0.0.1:{upstream}/v1",
            "api_key": "none",
            "models": {load.model: _model(load) for load in LOADS if number < load.endpoints},
        }
        for number in range(count)
    }


def make_key(program: str, data: Path, env: dict[str, str]) -> str:
    """Make a key with the command that scripts use."""
    command = [program, "keys", "create", "bench", "--data", str(data), "--json"]
    made = subprocess.run(command, check=True, capture_output=True, env=env).stdout
    key: str = json.loads(made)["key"]
    return key


def _model(load: Load) -> dict[str, object]:
    price = {"prompt": 0.000001, "completion": 0.000002}
    return {"upstream": load.upstream, "context": 128_000, "max_output": 16_384, "price": price}


def _first_answer(url: str, key: str, log: Path) -> None:
    """Ask until there is an answer. Raises SystemExit with the reason when there is none."""
    body = {"model": LOADS[0].model, "messages": [{"role": "user", "content": "Are you there?"}]}
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/chat/completions", msgspec.json.encode(body), headers)
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
    raise SystemExit(f"the gateway does not answer: {reason}\n{log.read_text()}")
