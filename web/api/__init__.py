"""The JSON API (contract §5): routes, their answers, and how errors are told."""
