"""The life of a request: where the rooms meet to serve one call. Start at `life.py`."""
