"""What clients speak: bodies, streams, usage. Bytes to values and back, without I/O."""
