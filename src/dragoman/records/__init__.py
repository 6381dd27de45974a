"""What happened: a row per generation, written in batches, read by people and the API."""
