"""Reads title, parties, dates and amounts out of the text, each with its evidence."""
