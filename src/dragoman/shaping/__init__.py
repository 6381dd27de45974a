"""Requests made plain before they are planned: aliases, variants, what is not applied. Pure."""
