"""How upstreams talk: one file of pure functions per dialect. Bytes and values, no I/O."""
