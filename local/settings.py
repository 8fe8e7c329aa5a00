"""What an operator sets for the one-machine runner. The functions and the web app read their own settings."""

from pathlib import Path

from pydantic import Field

from shared.settings import Settings


class LocalSettings(Settings):
    """Where everything is kept and listens, and how the functions' processes come and go."""

    data_dir: Path = Field(Path("data"), description="Directory of the objects, the database and the search index.")
    host: str = Field("127.0.0.1", description="Address to listen on. Without authentication only loopback is allowed.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    broker_port: int = Field(
        0, ge=0, le=65535, description="Loopback port of the embedded broker's ingress; 0 takes any free one."
    )
    function_idle_seconds: float = Field(
        60.0, gt=0, description="One machine: how long a function's process stays without work before it is stopped."
    )
    shutdown_grace_seconds: float = Field(
        20.0, ge=0, description="One machine: how long work under way may go on after a request to stop."
    )
    incoming_quiet_seconds: float = Field(
        3.0, ge=0, description="How long a file in `incoming/` must stay unchanged before it is taken in."
    )
