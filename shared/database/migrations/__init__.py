"""Schema revisions; they only ever add until the release after next (rules 25)."""
