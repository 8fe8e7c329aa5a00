"""Runs the one-machine runner on functions and manifests of a test's own. Started as a program by the tests.

`runner_process.py ROOT [JSON of settings]`: ROOT holds `functions/`, `knative/` and `data/`.
"""

import json
import sys
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from local.runner import Plan, RunnerError, serve
from local.settings import LocalSettings


async def home(request: Request) -> PlainTextResponse:
    return PlainTextResponse("web")


def main() -> None:
    root = Path(sys.argv[1])
    settings = LocalSettings.model_validate(json.loads(sys.argv[2]) | {"data_dir": root / "data"})
    plan = Plan(root=root, manifests=root / "knative", web=lambda: Starlette(routes=[Route("/", home)]))
    try:
        serve(settings, plan)
    except RunnerError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
