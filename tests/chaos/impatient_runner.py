"""`docuelevate serve` with triggers that give up after a moment: an hour of waiting passes in seconds.

`IMPATIENT_TRIGGERS` names them; everything else is the product as it is.
"""

import os
import shutil
import tempfile
from pathlib import Path

import yaml

from local.runner import ROOT, Plan, serve
from local.settings import LocalSettings
from shared.logs import configure_logging


def main() -> None:
    """Serve until SIGTERM."""
    configure_logging("local")
    with tempfile.TemporaryDirectory() as directory:
        manifests = Path(directory) / "knative"
        shutil.copytree(ROOT / "knative", manifests)
        for name in os.environ["IMPATIENT_TRIGGERS"].split(","):
            make_impatient(manifests / f"trigger-{name}.yaml")
        serve(LocalSettings(), Plan(manifests=manifests))


def make_impatient(path: Path) -> None:
    """Three tries within a second, then the dead-letter sink."""
    trigger = yaml.safe_load(path.read_text())
    trigger["spec"]["delivery"] |= {"retry": 2, "backoffPolicy": "linear", "backoffDelay": "PT0.3S"}
    path.write_text(yaml.safe_dump(trigger))


if __name__ == "__main__":
    main()
