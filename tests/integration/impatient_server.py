"""The whole product with triggers that give up soon, and a function of a test's own. Started as a program.

`impatient_server.py ROOT`: ROOT holds `functions/`, `knative/` and `data/`; all else is in the environment.
"""

import sys
from pathlib import Path

from local.runner import Plan, RunnerError, serve
from local.settings import LocalSettings


def main() -> None:
    root = Path(sys.argv[1])
    try:
        serve(LocalSettings(), Plan(root=root, manifests=root / "knative"))
    except RunnerError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
