"""Turns an object that appeared under `incoming/` into a registered document."""
