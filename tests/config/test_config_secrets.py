"""What must not be seen of settings is not seen, wherever they are printed."""

from pathlib import Path

from dragoman.config import load


def test_no_secret_can_be_printed_with_the_options(tmp_path: Path) -> None:
    file = tmp_path / "dragoman.yaml"
    file.write_text("""
providers: {a: {base_url: "http://x", api_key: hush}}
database: {url: "postgresql://u:hush@db/name"}
redis: {url: "redis://:hush@h"}
stripe: {secret_key: hush, webhook_secret: hush, success_url: "https://x.example"}
""")
    options = load(file, {})
    assert options.stripe is not None
    assert options.database.server == "postgresql://u:hush@db/name"
    assert "hush" not in repr(options)
