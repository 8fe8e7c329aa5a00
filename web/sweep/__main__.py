"""`python -m web.sweep`: one sweep, for a CronJob. Ends with 1 where part of it could not be done."""

import logging
import sys

from pydantic import ValidationError

from shared.logs import configure_logging
from shared.publisher import BrokerSettings
from shared.tracing.spans import start_tracing
from web.sweep.configured import configured_sweep

_log = logging.getLogger("web.sweep")


def main() -> int:
    """Sweep once; the exit code."""
    configure_logging("sweep")
    start_tracing("sweep")
    try:
        sweep = configured_sweep(BrokerSettings().broker_url)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        _log.error("%s: %s", "_".join(map(str, problem["loc"])).upper(), problem["msg"])
        return 1
    swept = sweep.run()
    _log.info("sweep: %s; %d findings in this sweep", str(swept) or "nothing to do", len(swept.findings))
    return 1 if swept.failures else 0


if __name__ == "__main__":
    sys.exit(main())
