"""Reads the text of every page and writes the searchable PDF."""
