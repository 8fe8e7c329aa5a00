"""What the commands share: which server they talk to, and how they write to a terminal or for a script."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from local.client import ApiClient

DEFAULT_URL = "http://localhost:8000"

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Connection:
    """Which server, and how results are written."""

    url: str = DEFAULT_URL
    token: str | None = None
    as_json: bool = False

    def client(self) -> "ApiClient":
        """A client for it."""
        from local.client import ApiClient

        return ApiClient(self.url, self.token)


def connected(command: F) -> F:
    """Give a command the connection options as well; they win over those before its name."""
    for option in (
        click.option("--json", is_flag=True, callback=_keep("as_json"), expose_value=False, help="Write JSON."),
        click.option("--token", callback=_keep("token"), expose_value=False, help="Token to sign in with."),
        click.option("--url", callback=_keep("url"), expose_value=False, help="Address of the server."),
    ):
        command = option(command)
    return command


def _keep(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def keep(ctx: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value:
            ctx.obj = replace(ctx.obj or Connection(), **{name: value})

    return keep


def plain(text: str) -> str:
    """One line without control characters: what stands in a document must not steer the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def row(name: str, value: object) -> None:
    """Write a name and its value, unless there is none."""
    if value not in (None, "", []):
        click.echo(f"  {name.replace('_', ' '):20} {plain(str(value))}")


def segment(document_id: str) -> str:
    """The id, fit to stand in a path. Raises ClickException for what is no id."""
    if not all(character.isalnum() or character == "-" for character in document_id):
        raise click.ClickException("The id is the one that `docuelevate list` shows.")
    return document_id


def write_json(content: object) -> None:
    """Write a result for scripts."""
    click.echo(json.dumps(content, ensure_ascii=False, indent=2))
