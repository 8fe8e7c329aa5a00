"""These tests need a cluster: `make e2e-cluster` runs them, nothing else collects them."""

import os

collect_ignore_glob = [] if os.environ.get("E2E_CLUSTER") else ["test_*.py"]
