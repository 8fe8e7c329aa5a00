"""Turns whatever was uploaded into a PDF that is safe to show and fit to be recognized."""
