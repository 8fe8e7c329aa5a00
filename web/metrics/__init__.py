"""What `GET /metrics` tells, in the text format of Prometheus.

Functions scale to zero and vanish between two scrapes, so what they did is read from the database, where record wrote
it; web alone counts in its own memory (its requests).
"""
