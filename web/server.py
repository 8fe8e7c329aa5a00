"""Serves web alone, as its container does, with limits fit for large uploads and long streams."""

import socket

import uvicorn
from starlette.applications import Starlette

from shared.process import prepare_process
from web.app import from_environment
from web.context import Context
from web.settings import WebSettings

GRACEFUL_SECONDS = 20
"""Shorter than a pod's grace period; an upload under way gets that long."""

KEEP_ALIVE_SECONDS = 75
"""Longer than what proxies keep (60 s), so that they never send on a connection that we are closing."""


class WebServer(uvicorn.Server):
    """Ends the live streams when it is told to stop; they would otherwise hold it up for the whole grace."""

    def __init__(self, app: Starlette, settings: WebSettings) -> None:
        self._context: Context = app.state.context
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                ws="none",
                h11_max_incomplete_event_size=64 * 1024,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=GRACEFUL_SECONDS,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the listeners go, then finish what is being answered."""
        await self._context.changes.close()
        await super().shutdown(sockets)


def main() -> None:
    """Run until SIGTERM or Ctrl-C."""
    prepare_process("web")
    WebServer(from_environment(), WebSettings()).run()


if __name__ == "__main__":
    main()
