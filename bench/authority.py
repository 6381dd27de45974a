"""A certificate authority for one run: the mock upstream's TLS is checked like anybody's."""

import shutil
import subprocess
from pathlib import Path

import msgspec

NAME = "localhost"


class Authority(msgspec.Struct, frozen=True):
    """The authority's certificate, and the certificate and key it gave to `localhost`."""

    ca: Path
    certificate: Path
    key: Path


def found(directory: Path) -> Authority:
    """Make an authority and a certificate for `localhost`. Raises SystemExit without openssl."""
    if shutil.which("openssl") is None:
        raise SystemExit("The benchmark needs openssl (Debian: apt install openssl)")
    made = Authority(directory / "ca.pem", directory / "host.pem", directory / "host.key")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    ca_key = directory / "ca.key"
    _openssl("req", "-x509", *curve, "-keyout", ca_key, "-out", made.ca, "-subj", "/CN=bench")
    names = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME},IP:127.0.0.1"]
    names += ["-addext", "basicConstraints=CA:FALSE"]
    names += ["-CA", str(made.ca), "-CAkey", str(ca_key)]
    _openssl("req", "-x509", *curve, *names, "-keyout", made.key, "-out", made.certificate)
    return made


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
