"""`docuelevate dead-letters`: what exhausted its deliveries, listed, shown whole, sent again, or set aside."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from local.terminal import Connection, connected, plain, row, segment, write_json

if TYPE_CHECKING:
    from local.client import ApiClient

STATES = ("open", "replayed", "closed", "discarded", "purged", "all")
AT_ONCE = 100
"""Letters in one request: each is a transaction of its own, and a request has a minute."""

F = TypeVar("F", bound=Callable[..., Any])


def _choosing(command: F) -> F:
    """Give a command the filters that letters are chosen by."""
    for option in (
        click.option("--until", help="Latest arrival, ISO 8601."),
        click.option("--since", help="Earliest arrival, ISO 8601."),
        click.option("--type", "type", help="Event type, such as document.received."),
        click.option("--code", help="Code of the last answer, such as unavailable."),
        click.option("--document", help="Id of the document."),
        click.option("--trigger", help="Who gave it up, such as ocr."),
        click.option("--state", type=click.Choice(STATES), help="What became of it.  [default: open]"),
    ):
        command = option(command)
    return command


@click.group("dead-letters", invoke_without_command=True)
@_choosing
@click.option("-n", "--limit", default=50, show_default=True, type=click.IntRange(1), help="At most so many.")
@connected
@click.pass_context
def dead_letters(ctx: click.Context, /, limit: int, **filters: str | None) -> None:
    """List dead letters (events that were given up on), latest first; or show, replay, discard them."""
    if ctx.invoked_subcommand is not None:
        return
    connection: Connection = ctx.obj
    with connection.client() as client:
        count, results = _listed(client, filters, limit)
    if connection.as_json:
        write_json({"count": count, "results": results})
        return
    for each in results:
        about = each["document_id"] or each["event"]["subject"] or ""
        click.echo(f"{each['id']}  {each['state']:9}  {each['last_at'][:19]}  {plain(about)}")
        click.echo(f"    {plain(each['cause'])}")
    click.echo(f"{len(results)} of {count}", err=True)


@dead_letters.command()
@click.argument("letter_id", metavar="ID")
@connected
@click.pass_obj
def show(connection: Connection, letter_id: str) -> None:
    """Show one dead letter with its event whole."""
    with connection.client() as client:
        letter = client.get(f"/api/dead-letters/{segment(letter_id)}")
    if connection.as_json:
        write_json(letter)
        return
    event = letter.pop("event")
    for name, value in letter.items():
        row(name, value)
    # As JSON every control character is escaped.
    click.echo(json.dumps(event, indent=2) if event else "The event itself is gone.")


@dead_letters.command()
@click.argument("letter_ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that are open.")
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
@_choosing
@connected
@click.pass_obj
def replay(
    connection: Connection, /, letter_ids: Sequence[str], everything: bool, dry_run: bool, **filters: str | None
) -> None:
    """Send the events of dead letters again: those named, those that the filters choose, or --all."""
    word = "would be sent again" if dry_run else "sent again"
    _deal(connection, "replay", _choice(letter_ids, filters, everything=everything), {"dry_run": dry_run}, word)


@dead_letters.command()
@click.argument("letter_ids", metavar="[ID]...", nargs=-1)
@click.option("--reason", required=True, help="Why nobody needs them any more.")
@click.option("--dry-run", is_flag=True, help="Only say what would be discarded.")
@_choosing
@connected
@click.pass_obj
def discard(
    connection: Connection, /, letter_ids: Sequence[str], reason: str, dry_run: bool, **filters: str | None
) -> None:
    """Set dead letters aside: those named, or those that the filters choose."""
    word = "would be discarded" if dry_run else "discarded"
    more = {"reason": reason, "dry_run": dry_run}
    _deal(connection, "discard", _choice(letter_ids, filters, everything=False), more, word)


Choice = Sequence[str] | dict[str, str | None]


def _choice(letter_ids: Sequence[str], filters: dict[str, str | None], *, everything: bool) -> Choice:
    filtered = any(filters.values())
    if bool(letter_ids) + (filtered or everything) != 1:
        raise click.UsageError("Name dead letters, or choose them by filters, one or the other.")
    return letter_ids or filters


def _deal(connection: Connection, verb: str, chosen: Choice, more: dict[str, Any], word: str) -> None:
    """Deal with the letters some at a time, tell what came of it, and exit: 0 only where none was left alone."""
    with connection.client() as client:
        ids = [each["id"] for each in _listed(client, chosen)[1]] if isinstance(chosen, dict) else list(chosen)
        told: dict[str, Any] = {"dry_run": more["dry_run"], "count": 0, "skipped": {}, "letters": []}
        for some in _parts(ids, quiet=connection.as_json):
            answer = client.post(f"/api/dead-letters/{verb}", more | {"ids": some})
            told["count"] += answer["count"]
            told["letters"] += answer["letters"]
            for reason, number in answer["skipped"].items():
                told["skipped"][reason] = told["skipped"].get(reason, 0) + number
    _tell(connection, told, word)
    sys.exit(1 if told["skipped"] else 0)


def _tell(connection: Connection, told: dict[str, Any], word: str) -> None:
    if connection.as_json:
        write_json(told)
        return
    for each in told["letters"]:
        click.echo(f"{plain(each['id'])}  left alone: {plain(each['message'])}", err=True)
    left = sum(told["skipped"].values())
    click.echo(f"{told['count']} {word}" + (f", {left} left alone." if left else "."))


def _parts(ids: Sequence[str], *, quiet: bool) -> Iterator[list[str]]:
    parts = [list(ids[start : start + AT_ONCE]) for start in range(0, len(ids), AT_ONCE)]
    if quiet or len(parts) < 2:
        yield from parts
        return
    with click.progressbar(length=len(ids), file=sys.stderr) as bar:
        for some in parts:
            yield some
            bar.update(len(some))


def _listed(
    client: "ApiClient", filters: dict[str, str | None], most: int | None = None
) -> tuple[int, list[dict[str, Any]]]:
    page = client.get("/api/dead-letters", page_size=min(most or 200, 200), **filters)
    count, results = page["count"], page["results"]
    while page["next"] and (most is None or len(results) < most):
        page = client.get(page["next"])
        results += page["results"]
    return count, results[:most]
