"""Traces that follow a document from the upload through every step, by OpenTelemetry. Off unless told where to."""
