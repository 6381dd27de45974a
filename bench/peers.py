"""Other gateways, measured in the same run: LiteLLM and Portkey, at pinned versions.

`make bench-peers` installs them beside the benchmark, into a directory that git
ignores. They run as their documentation tells for one process, without a
database and without logging, which is less than what the gateway does.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import yaml

from bench.contenders import Contender, Upstreams, first_answer, key_file
from bench.process import free_port, running, wait_for

HOME: Final = Path(__file__).parent / ".peers"
LITELLM: Final = "1.106.2"
PORTKEY: Final = "1.15.2"
LITELLM_PROGRAM: Final = HOME / "litellm" / "bin" / "litellm"
PORTKEY_PROGRAM: Final = (
    HOME / "portkey" / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
)
MASTER_KEY: Final = "sk-bench-peer"


def install() -> None:
    """Install both. Raises SystemExit without npm, CalledProcessError when a registry fails."""
    if shutil.which("npm") is None:
        raise SystemExit("Portkey needs npm (Debian: apt install npm)")
    HOME.mkdir(exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", str(HOME / "litellm")], check=True)
    pip = [str(HOME / "litellm" / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, f"litellm[proxy]=={LITELLM}"], check=True)
    npm = ["npm", "install", "--prefix", str(HOME / "portkey"), "--no-audit", "--no-fund"]
    npm += ["--ignore-scripts", f"@portkey-ai/gateway@{PORTKEY}"]
    subprocess.run(npm, check=True)
    print(f"LiteLLM {LITELLM} and Portkey {PORTKEY} are installed: make bench measures them")


@contextmanager
def litellm(upstreams: Upstreams, directory: Path) -> Iterator[Contender]:
    """Run LiteLLM's proxy with one worker and one key, a deployment for each kind of answer."""
    port = free_port()
    directory.mkdir(exist_ok=True)
    config, log = directory / "litellm.yaml", directory / "litellm.log"
    config.write_text(yaml.safe_dump(_litellm_settings(upstreams)))
    command = [str(LITELLM_PROGRAM), "--config", str(config), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--num_workers", "1", "--telemetry", "False"]
    env = {
        **os.environ,
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
    }
    keys = key_file(directory / "litellm.keys", [MASTER_KEY])
    with running(command, env, log) as pid:
        url = f"http://127.0.0.1:{port}/v1"
        wait_for(port, log)
        first_answer(f"{url}/chat/completions", MASTER_KEY, "plain", log)
        yield Contender(name="litellm", url=url, pid=pid, keys=keys, slow=4)


@contextmanager
def portkey(upstreams: Upstreams, directory: Path) -> Iterator[Contender]:
    """Run Portkey's gateway; headers of each request tell where it goes."""
    port = free_port()
    directory.mkdir(exist_ok=True)
    log = directory / "portkey.log"
    env = {**os.environ, "NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost"}
    command = ["node", str(PORTKEY_PROGRAM), f"--port={port}", "--headless"]
    headers = {
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"http://127.0.0.1:{upstreams.port}/v1",
    }
    keys = key_file(directory / "portkey.keys", ["none"])
    with running(command, env, log) as pid:
        url = f"http://127.0.0.1:{port}/v1"
        wait_for(port, log)
        first_answer(f"{url}/chat/completions", "none", "plain", log, headers)
        yield Contender(
            name="portkey",
            url=url,
            pid=pid,
            keys=keys,
            headers=tuple(headers.items()),
            slow=2,
        )


def installed() -> tuple[str, ...]:
    """Return which of them are there."""
    programs = {"litellm": LITELLM_PROGRAM, "portkey": PORTKEY_PROGRAM}
    return tuple(name for name, program in programs.items() if program.exists())


def _litellm_settings(upstreams: Upstreams) -> dict[str, object]:
    base = {"api_base": f"http://127.0.0.1:{upstreams.port}/v1", "api_key": "none"}
    return {
        "model_list": [
            {"model_name": kind, "litellm_params": {"model": f"openai/{kind}", **base}}
            for kind in ("plain", "stream-50", "paced-50")
        ],
        "general_settings": {"master_key": MASTER_KEY},
        "litellm_settings": {"telemetry": False},
    }


if __name__ == "__main__":
    install()
