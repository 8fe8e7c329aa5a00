"""`docuelevate replay`, `replays`, `rebuild` and `events`: what happened, and having it happen again."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any

import click

from local.terminal import Connection, connected, plain, row, segment, write_json

if TYPE_CHECKING:
    from local.client import ApiClient

POLL_SECONDS = 1.0
LOOKED_AT_AGAIN = 100
STEPS = ("convert", "ocr", "enrich", "index")
STATUSES = ("processing", "ready", "attention")
_FILTERS = ("status", "code", "subject", "source", "runid", "since", "until")


def _event_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--until", help="Latest time of an event, as 2026-01-31 or ISO 8601."),
        click.option("--since", help="Earliest time of an event."),
        click.option("--run", "runid", help="Events of one run."),
        click.option("--source", help="Who sent the event, as /docuelevate/functions/ocr."),
        click.option("--subject", help="What the event is about: a document's id."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("document_ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All documents, or with --redeliver all events.")
@click.option("--status", type=click.Choice(STATUSES), help="Documents that stand so.")
@click.option("--code", help="Documents that need attention for this reason, such as ocr_failed.")
@click.option("--type", "kind", help="A kind of document, such as invoice, or of event, such as document.received.")
@click.option("--tag", "tags", multiple=True, help="Documents with a tag; with several they have all of them.")
@_event_options
@click.option("--from", "start", type=click.Choice(STEPS), default="convert", show_default=True, help="First step.")
@click.option("--force", is_flag=True, help="Do that step again although its result is there.")
@click.option("--language", help="Language for text recognition.")
@click.option("--ocr-engine", help="Who recognizes the text: one of the server's OCR_ENGINES.")
@click.option("--enrich-engine", help="Who extracts the metadata; `local` asks no model.")
@click.option("--redeliver", is_flag=True, help="Send the archived events again instead of starting new runs.")
@click.option("--rate", type=click.FloatRange(0.1, 1000), default=10.0, show_default=True, help="Items per second.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--wait", is_flag=True, help="Wait until the last item is dealt with; Ctrl-C leaves it running.")
@connected
@click.pass_obj
def replay(
    connection: Connection,
    /,
    document_ids: Sequence[str],
    everything: bool,
    start: str,
    force: bool,
    language: str | None,
    ocr_engine: str | None,
    enrich_engine: str | None,
    redeliver: bool,
    rate: float,
    dry_run: bool,
    wait: bool,
    tags: Sequence[str],
    kind: str | None,
    **filters: str | None,
) -> None:
    """Send documents through their steps again: those named, or all that options select.

    What has not changed is not worked on again, unless --force says so for the first step.
    """
    chosen = {"language": language, "ocr_engine": ocr_engine, "enrich_engine": enrich_engine}
    options = {name: value for name, value in chosen.items() if value}
    wanted: dict[str, Any] = {name: filters[name] for name in _FILTERS if filters.get(name)}
    if kind:
        wanted["type" if "." in kind else "document_type"] = kind
    wanted |= ({"tag": list(tags)} if tags else {}) | ({"ids": list(document_ids)} if document_ids else {})
    if not wanted and not everything:
        raise click.UsageError("Name documents, select them by options, or say --all.")
    if list(wanted) == ["ids"] and len(document_ids) == 1 and not (redeliver or dry_run or wait):
        _replay_one(connection, document_ids[0], {"from": start, "force": force, "options": options})
        return
    body = {"mode": "redeliver"} if redeliver else {"mode": "reprocess", "from": start}
    content = body | {"force": force, "options": options, "filter": wanted, "rate": rate, "dry_run": dry_run}
    with connection.client() as client:
        answer = client.post("/api/events/replay", content)
        if dry_run:
            _tell_dry_run(connection, answer, "events" if redeliver else "documents")
        else:
            _tell_begun(connection, client, answer, wait=wait)


@click.group(invoke_without_command=True)
@connected
@click.pass_context
def replays(ctx: click.Context) -> None:
    """Replays and rebuilds: list, show, cancel. Without a command they are listed."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_replays)


@replays.command("list")
@click.option("--state", type=click.Choice(["running", "done", "cancelled", "failed"]), help="Where they stand.")
@click.option("-n", "--limit", default=50, show_default=True, type=click.IntRange(1, 200), help="At most so many.")
@connected
@click.pass_obj
def list_replays(connection: Connection, state: str | None, limit: int) -> None:
    """List replays and rebuilds, newest first."""
    with connection.client() as client:
        page = client.get("/api/replays", state=state, page_size=limit)
    if connection.as_json:
        write_json({"count": page["count"], "results": page["results"]})
        return
    for each in page["results"]:
        done = f"{each['done']}/{each['count']}"
        click.echo(f"{each['id']}  {each['created_at'][:19]}  {each['kind']:19}  {each['state']:9}  {done}")
    click.echo(f"{len(page['results'])} of {page['count']}", err=True)


@replays.command("show")
@click.argument("replay_id", metavar="ID")
@click.option("--wait", is_flag=True, help="Wait until it has ended; Ctrl-C leaves it running.")
@connected
@click.pass_obj
def show_replay(connection: Connection, replay_id: str, wait: bool) -> None:
    """Show how far a replay is."""
    with connection.client() as client:
        found = client.get(f"/api/replays/{segment(replay_id)}")
        if wait:
            found = _watched(client, found)
    _show(connection, found)


@replays.command("cancel")
@click.argument("replay_id", metavar="ID")
@connected
@click.pass_obj
def cancel_replay(connection: Connection, replay_id: str) -> None:
    """End a replay; what it has begun goes on."""
    with connection.client() as client:
        _show(connection, client.post(f"/api/replays/{segment(replay_id)}/cancel", {}))


@click.command()
@click.argument("what", type=click.Choice(["index", "projections"]))
@click.option("--rate", type=click.FloatRange(0.1, 1000), default=100.0, show_default=True, help="Items per second.")
@click.option("--wait", is_flag=True, help="Wait until it has ended; Ctrl-C leaves it running.")
@connected
@click.pass_obj
def rebuild(connection: Connection, what: str, rate: float, wait: bool) -> None:
    """Make the search index or the projections anew, while the server goes on serving."""
    with connection.client() as client:
        _tell_begun(connection, client, client.post("/api/rebuild", {"what": what, "rate": rate}), wait=wait)


@click.command()
@click.argument("document_id", metavar="[ID]", required=False)
@click.option("--type", "type", help="Event type, such as document.failed.")
@_event_options
@click.option("-n", "--limit", default=50, show_default=True, type=click.IntRange(1), help="At most so many.")
@click.option("--follow", is_flag=True, help="Go on as events arrive, oldest first, until Ctrl-C.")
@click.option("--whole", is_flag=True, help="Write each event whole, as JSON on a line of its own.")
@connected
@click.pass_obj
def events(
    connection: Connection,
    /,
    document_id: str | None,
    limit: int,
    follow: bool,
    whole: bool,
    subject: str | None,
    **filters: str | None,
) -> None:
    """List archived events, newest first."""
    asked = {"subject": document_id or subject, **filters}
    tell = _tell_whole if whole or (follow and connection.as_json) else _tell_event
    with connection.client() as client:
        first = client.get("/api/events", page_size=min(limit, 200), **asked)
        found = list(islice(_pages(client, first), limit))
        if follow:
            _follow(client, asked, found, tell)
            return
    if connection.as_json and not whole:
        write_json({"count": first["count"], "results": found})
        return
    for each in found:
        tell(each)


def _replay_one(connection: Connection, document_id: str, body: dict[str, Any]) -> None:
    with connection.client() as client:
        answer = client.post(f"/api/documents/{segment(document_id)}/replay", body)
    if connection.as_json:
        write_json(answer)
    else:
        click.echo(f"Run {answer['runid']} started at {answer['started_at_step']}.")


def _tell_dry_run(connection: Connection, answer: dict[str, Any], things: str) -> None:
    if connection.as_json:
        write_json(answer)
        return
    click.echo(f"{answer['count']} {things} would be replayed.")
    for reason, count in answer["skipped"].items():
        row(reason, f"{count} left out")


def _tell_begun(connection: Connection, client: "ApiClient", begun: dict[str, Any], *, wait: bool) -> None:
    if wait:
        begun = _watched(client, begun)
    if connection.as_json or wait:
        _show(connection, begun)
    else:
        click.echo(f"Replay {begun['id']} has begun: {begun['count']} items, {begun['rate']:g} per second.")
        click.echo(f"docuelevate replays show {begun['id']} --wait", err=True)


def _watched(client: "ApiClient", found: dict[str, Any]) -> dict[str, Any]:
    """The replay when it has ended, or as it was last seen when a person has had enough of looking."""
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=max(1, found["count"]), label="Replaying", file=sys.stderr, hidden=hidden) as bar:
        try:
            while True:
                bar.update(found["done"] - bar.pos)
                if found["state"] != "running":
                    return found
                time.sleep(POLL_SECONDS)
                found = client.get(f"/api/replays/{found['id']}")
        except KeyboardInterrupt:
            click.echo(f"\nIt goes on; `docuelevate replays cancel {found['id']}` ends it.", err=True)
            return found


def _show(connection: Connection, found: dict[str, Any]) -> None:
    if connection.as_json:
        write_json(found)
    else:
        for name in ("id", "kind", "state", "done", "count", "skipped", "rate", "created_at", "finished_at", "message"):
            row(name, found[name])
        row("filter", ", ".join(f"{name} {value}" for name, value in (found["filter"] or {}).items() if value))
    sys.exit(1 if found["state"] == "failed" else 0)


def _pages(client: "ApiClient", page: dict[str, Any]) -> Iterator[dict[str, Any]]:
    while True:
        yield from page["results"]
        if not page["next"]:
            return
        page = client.get(page["next"])


def _follow(
    client: "ApiClient",
    asked: dict[str, str | None],
    found: Sequence[dict[str, Any]],
    tell: Callable[[dict[str, Any]], None],
) -> None:
    """Tell what is there, oldest first, then what arrives.

    An event has its number before others can see it, and may appear behind later ones: the last are looked at again.
    """
    told = {each["number"] for each in found}
    floor = min(told, default=1) - 1
    try:
        while True:
            for each in reversed(found):
                tell(each)
            time.sleep(POLL_SECONDS)
            floor = max(floor, max(told, default=0) - LOOKED_AT_AGAIN)
            told = {number for number in told if number > floor}
            newest = _pages(client, client.get("/api/events", page_size=200, **asked))
            found = [each for each in _above(floor, newest) if each["number"] not in told]
            told.update(each["number"] for each in found)
    except KeyboardInterrupt:
        return


def _above(floor: int, newest: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return takewhile(lambda each: each["number"] > floor, newest)


def _tell_event(found: dict[str, Any]) -> None:
    short = found["type"].removeprefix("org.docuelevate.").removesuffix(".v1")
    click.echo(f"{found['time'][:23]}  {plain(short):22}  {plain(found['subject'])}  {plain(found['id'])}")


def _tell_whole(found: dict[str, Any]) -> None:
    import json

    click.echo(json.dumps(found["event"], ensure_ascii=False))
