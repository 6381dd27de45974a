"""Attempts and failover: who is called next, when to give up, what was learnt of each endpoint."""
