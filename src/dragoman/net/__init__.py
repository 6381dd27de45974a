"""The HTTP/1.1 client: connections, pool, TLS, timeouts. Knows nothing of models."""
