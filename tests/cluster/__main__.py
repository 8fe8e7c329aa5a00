"""`make e2e-cluster`: proves the released images and the chart on a real cluster, step by step. README.md says how.

Ends with 1 where a step failed. Not pytest: the steps build on each other, and their times are part of the answer.
"""

import os
import secrets
import signal
import sys
import time
from dataclasses import dataclass

from tests.cluster.kubernetes import CommandFailed, namespace
from tests.cluster.release import NAME, Release, overrides, values_for
from tests.cluster.settings import E2eSettings
from tests.cluster.steps import STEPS, Proof, Step, state_of
from tests.cluster.surroundings import surroundings
from tests.cluster.web import Web

FAILURES = (AssertionError, CommandFailed, TimeoutError, OSError, ValueError, KeyError, RuntimeError)


@dataclass(frozen=True)
class Outcome:
    """How a step went."""

    step: Step
    seconds: float
    passed: bool
    told: str


def main() -> int:
    """Run the steps and print the table."""
    # Whoever ends it wants the namespace and the servers gone too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.environ["E2E_CLUSTER"] = "1"
    settings = E2eSettings()
    wanted = [name.strip() for name in settings.steps.split(",") if name.strip()]
    space = f"docuelevate-{secrets.token_hex(3)}"
    hook_url = settings.web_url or f"http://{NAME}-web.{space}.svc.cluster.local"
    with namespace(space) as here, surroundings(settings, f"{hook_url}/hooks/s3") as around:
        values = values_for(settings, around)
        say(f"Namespace {space}. Values beside the secrets:\n{overrides(values)}")
        release = Release(here, values, settings.patience)
        proof = Proof(settings, around, here, release, Web(here, f"{NAME}-web", settings.web_url))
        outcomes = []
        for step in STEPS:
            if wanted and not step.is_foundation and step.name not in wanted:
                continue
            outcomes.append(outcome := attempt(step, proof))
            if not outcome.passed:
                say(state_of(here))
                if step.is_foundation:
                    break
        proof.web.close()
    say(table(outcomes))
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def attempt(step: Step, proof: Proof) -> Outcome:
    """One step, and how it went."""
    began = time.monotonic()
    try:
        told, passed = step.work(proof), True
    except FAILURES as error:
        told, passed = f"{type(error).__name__}: {error}", False
    outcome = Outcome(step, time.monotonic() - began, passed, told)
    say(row(outcome))
    return outcome


def row(outcome: Outcome) -> str:
    """A line of the table."""
    mark = "ok" if outcome.passed else "FAILED"
    return f"{outcome.step.name:16} {mark:6} {outcome.seconds:6.0f} s  {outcome.told}"


def table(outcomes: list[Outcome]) -> str:
    """All lines."""
    total = sum(outcome.seconds for outcome in outcomes)
    passed = sum(outcome.passed for outcome in outcomes)
    return "\n".join(["", *map(row, outcomes), f"{passed} of {len(outcomes)} steps passed in {total:.0f} s"])


def say(text: str) -> None:
    """At once, whoever reads."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
