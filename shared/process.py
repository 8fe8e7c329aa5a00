"""What every process of ours does first: log in one form, and keep its memory and environment to itself."""

from shared.jail import protect_this_process
from shared.logs import configure_logging


def prepare_process(name: str) -> None:
    """Configure logging under this name and hide the process's secrets from others of the same user."""
    configure_logging(name)
    protect_this_process()
