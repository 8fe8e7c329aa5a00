"""Keeps the search entry of a document in step with the database, the single source of truth."""
