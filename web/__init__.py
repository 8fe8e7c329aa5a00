"""The web application: pages, API, hooks, outbox relay."""
