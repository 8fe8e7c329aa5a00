"""What every process of ours does first: log in one form, trace if told to, keep memory and environment to itself."""

from shared.jail import protect_this_process
from shared.logs import configure_logging
from shared.tracing.spans import start_tracing


def prepare_process(name: str) -> None:
    """Configure logging and traces under this name; hide the process's secrets from others of the same user."""
    configure_logging(name)
    protect_this_process()
    start_tracing(name)
