"""The embedded broker: Knative's rules of delivery on one machine, with a queue that survives a crash."""
