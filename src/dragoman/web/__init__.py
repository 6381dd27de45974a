"""The edge: HTTP in and out. Everything it decides, it decides about bytes and headers."""
