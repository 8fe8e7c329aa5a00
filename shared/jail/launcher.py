"""Runs first in every jailed process: dies with its parent, confines itself, then becomes what it was started for.

Usage: python -I -S launcher.py SPECIFICATION, where the JSON names the policy and either a worker's entry (served in
this process) or a program's arguments (executed in its place). Standard library only until it is confined.
"""

import importlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Any


def main(specification: dict[str, Any]) -> None:
    """Never returns to the caller's code: ends as a served worker or as another program."""
    sys.path[:] = [*specification["path"], *(path for path in sys.path if path not in specification["path"])]
    os.umask(0o077)
    # Imported only now: with -I -S nothing but the standard library is on the path before.
    from shared.jail.confinement import confine, die_with_parent
    from shared.jail.policy import Policy

    die_with_parent(specification["parent"])
    policy = Policy.from_json(specification["policy"])
    entry: str | None = specification["entry"]
    if entry is None:
        confine(policy)
        _become(specification["arguments"])
    else:
        # The import system lists the directory of the top-level package, which the jail may not (it can hold data).
        importlib.import_module(entry.partition(".")[0].partition(":")[0])
        confine(policy)
        _serve(entry, specification["channel"])


def _become(arguments: Sequence[str]) -> None:
    os.execve(arguments[0], list(arguments), dict(os.environ))  # noqa: S606 (no shell is wanted)


def _serve(entry: str, channel: int) -> None:
    from shared.jail.serving import serve

    module_name, _, attribute = entry.partition(":")
    serve(getattr(importlib.import_module(module_name), attribute), channel)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
