"""Object storage: the port, its keys, and its two implementations (a directory, S3)."""
