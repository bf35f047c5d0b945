"""Pipelines and remote services: the only code that may open a connection."""
