"""What a result depends on, as one digest: equal fingerprints mean equal bytes, so the work need not be done again."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def fingerprint(
    step: str,
    version: str,
    *,
    inputs: Mapping[str, str],
    settings: Mapping[str, Any],
    forced_run: str | None = None,
) -> str:
    """sha256 (hex) over everything that changes the output of a step.

    `inputs` maps names to digests, `settings` names the settings, engine, model and language-data versions that matter.
    A forced run adds its runid, and so works again (architecture §2.3).
    """
    content = {
        "step": step,
        "version": version,
        "inputs": dict(inputs),
        "settings": dict(settings),
        "forced_run": forced_run,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
