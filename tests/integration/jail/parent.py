"""A process with a jailed worker and a jailed program; it prints their process ids and waits to be killed."""

import sys
import time
from pathlib import Path

from shared.jail import JailedWorker, spawn_jailed

sys.path.insert(0, str(Path(__file__).parent))
worker = JailedWorker("methods:METHODS", readable=[Path(__file__).parent])
worker.start()
program = spawn_jailed(["/usr/bin/sleep", "1000"])
print(worker.pid, program.pid, flush=True)
time.sleep(1000)
