"""Calls between the processes of a node, over a Unix socket."""
