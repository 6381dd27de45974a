"""Management use cases, a file per family. Owns the transaction; called by web, app and cli."""
