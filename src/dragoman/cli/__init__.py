"""The `dragoman` command. Commands are loaded by name, so that `--help` stays fast."""
