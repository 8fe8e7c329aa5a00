"""Serves one function under functions-framework, on a port of a container or on a socket of the one-machine runner.

functions-framework's own server closes idle connections after 2 s, while Knative's proxy reuses them for 90, and ends
requests 30 s after SIGTERM. Which function it is stands in FUNCTION_SOURCE and FUNCTION_TARGET.
"""

import uvicorn
from pydantic import Field

from shared.settings import Settings

KEEP_ALIVE_SECONDS = 620
LONGEST_REQUEST_SECONDS = 600
"""More than any of our requests may last. Knative kills the pod when the request's own limit is over."""


class FunctionServerSettings(Settings):
    """Where a container's function is served."""

    host: str = Field("0.0.0.0", description="Address to listen on.")  # noqa: S104 (a container has its own network)
    port: int = Field(8080, ge=1, le=65535, description="Port to listen on; Knative sets it.")


class FunctionServer(uvicorn.Server):
    """Answers until it is told to stop, and then what it has begun."""

    def __init__(self, *, grace_seconds: int, host: str = "127.0.0.1", port: int = 8080, fd: int | None = None) -> None:
        super().__init__(
            uvicorn.Config(
                "functions_framework.aio:app",
                host=host,
                port=port,
                # A socket that is open already; then host and port say nothing.
                fd=fd,
                # functions-framework loads the function here; by default uvicorn would go on without one that cannot be
                # loaded.
                lifespan="on",
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=grace_seconds,
                access_log=False,
                server_header=False,
                # The function configures logging, in one form for all lines.
                log_config=None,
                log_level="warning",
                ws="none",
            )
        )


def main() -> None:
    """Serve a container's function until SIGTERM."""
    settings = FunctionServerSettings()
    FunctionServer(host=settings.host, port=settings.port, grace_seconds=LONGEST_REQUEST_SECONDS).run()


if __name__ == "__main__":
    main()
