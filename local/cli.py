"""The command line. All but `serve` and `migrate` are clients of a server, local or remote, through its HTTP API.

Whatever is heavy is imported by the command that needs it: `docuelevate --help` answers at once.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import click

from local.dead_letter_commands import dead_letters
from local.replay_commands import events, rebuild, replay, replays
from local.s3_commands import s3_notifications
from local.sweep_command import sweep
from local.terminal import DEFAULT_URL, Connection, connected, plain, row, segment, write_json

if TYPE_CHECKING:
    import httpx

    from local.uploading import Outcome

PIECE_BYTES = 256 * 1024


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--url", envvar="DOCUELEVATE_URL", default=DEFAULT_URL, show_default=True, help="Address of the server.")
@click.option("--token", envvar="DOCUELEVATE_TOKEN", help="Token to sign in with.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.version_option(package_name="docuelevate")
@click.pass_context
def main(ctx: click.Context, url: str, token: str | None, as_json: bool) -> None:
    """Turn documents into searchable PDFs with trustworthy metadata."""
    ctx.obj = Connection(url, token, as_json)


for command in (replay, replays, rebuild, events):
    main.add_command(command)


@main.command()
@click.option("--host", envvar="HOST", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", envvar="PORT", type=click.IntRange(0, 65535), help="Port to listen on.  [default: 8000]")
@click.option("--data-dir", envvar="DATA_DIR", type=click.Path(file_okay=False), help="Where everything is kept.")
def serve(host: str | None, port: int | None, data_dir: str | None) -> None:
    """Run everything on this machine: web app, API, functions, broker."""
    given = {"HOST": host, "PORT": port, "DATA_DIR": data_dir}
    os.environ.update({name: str(value) for name, value in given.items() if value is not None})
    from pydantic import ValidationError

    from local.runner import RunnerError
    from local.runner import serve as run
    from local.settings import LocalSettings
    from shared.logs import configure_logging

    try:
        configure_logging("local")
        run(LocalSettings())
    except ValidationError as error:
        raise click.ClickException(_setting_problem(error.errors(include_url=False)[0])) from error
    except RunnerError as error:
        raise click.ClickException(str(error)) from error


@main.command()
def migrate() -> None:
    """Bring the database named by DATABASE_URL up to this release."""
    from shared.database.schema import SchemaMismatch
    from shared.database.schema import migrate as apply
    from shared.database.settings import DatabaseSettings, database
    from shared.errors import Unavailable

    settings = DatabaseSettings()
    if settings.database_url is None:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    try:
        click.echo(f"The database is at revision {apply(database(settings))}.")
    except (SchemaMismatch, Unavailable) as error:
        raise click.ClickException(str(error)) from error


@main.group()
def token() -> None:
    """Tokens for a server with AUTH_ENABLED=true."""


@token.command("create")
@click.argument("name")
@click.option(
    "--scope", type=click.Choice(["read", "write", "admin"]), default="read", show_default=True, help="How far it goes."
)
@click.option("--expires-days", type=click.IntRange(1, 36_500), help="Days it is good for.  [default: for ever]")
@click.option("--owner", default="local", show_default=True, help="Whose documents it opens.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def create_token(name: str, scope: str, expires_days: int | None, owner: str, as_json: bool) -> None:
    """Make a token in the database named by DATABASE_URL, as needed for the first one. It is shown only now."""
    from datetime import UTC, datetime, timedelta

    from shared.database.engine import writing
    from shared.database.readiness import require_current
    from shared.database.settings import DatabaseSettings, database
    from shared.database.tokens import TokenScope, issue_token
    from shared.errors import Unavailable

    settings = DatabaseSettings()
    if settings.database_url is None:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    engine = database(settings)
    expires_at = datetime.now(UTC) + timedelta(days=expires_days) if expires_days else None
    try:
        require_current(engine)
        with writing(engine) as session:
            row, secret = issue_token(session, owner, name, TokenScope(scope), expires_at)
    except Unavailable as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        shown = {"id": row.id, "name": name, "scope": scope, "prefix": row.prefix, "token": secret}
        write_json(shown | {"expires_at": expires_at.isoformat() if expires_at else None})
        return
    click.echo(secret)
    click.echo("Keep it well: it is not shown again.", err=True)


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--title", help="Title of the document (for one file).")
@click.option("--tag", "tags", multiple=True, help="Tag for every file; may be repeated.")
@click.option("--language", help="Language of the text, such as de or deu+eng.")
@click.option("--force", is_flag=True, help="Store the file even if it is there already.")
@click.option("--wait", is_flag=True, help="Wait until every document is done; fail if one needs attention.")
@click.option("--timeout", default=3600.0, show_default=True, help="Longest wait in seconds.")
@click.option("-j", "--jobs", default=4, show_default=True, type=click.IntRange(1, 32), help="Files sent at once.")
@connected
@click.pass_obj
def upload(
    connection: Connection,
    paths: Sequence[Path],
    title: str | None,
    tags: Sequence[str],
    language: str | None,
    force: bool,
    wait: bool,
    timeout: float,
    jobs: int,
) -> None:
    """Upload files, and everything in directories."""
    from local.uploading import files_under, send_all, wait_for_all

    files = files_under(paths)
    if not files:
        raise click.ClickException("There is no file in there.")
    fields = {"title": title, "tags": list(tags), "language": language, "force": "true" if force else None}
    say = _silent if connection.as_json else _say_outcome
    with connection.client() as client:
        client.get("/api/health")
        sent = {name: value for name, value in fields.items() if value}
        outcomes = send_all(client, files, sent, at_once=jobs, on_outcome=say)
        if wait:
            outcomes = wait_for_all(client, outcomes, timeout_seconds=timeout, on_outcome=say)
    failed = [outcome for outcome in outcomes if not outcome.ok]
    if connection.as_json:
        write_json({"documents": [asdict(outcome) for outcome in outcomes]})
    else:
        click.echo(f"{len(outcomes) - len(failed)} of {len(outcomes)} file(s) {'ready' if wait else 'uploaded'}.")
    sys.exit(1 if failed else 0)


@main.command("list")
@click.option("-q", "--query", help="Words in title, file name or sender.")
@click.option("--status", type=click.Choice(["processing", "ready", "attention", "trashed"]))
@click.option("--type", "document_type", help="Kind of document, such as invoice.")
@click.option("--tag", "tags", multiple=True, help="Tag; may be repeated.")
@click.option("--sender", help="The sender, exactly.")
@click.option("--from", "date_from", help="Earliest date of the document.")
@click.option("--to", "date_to", help="Latest date of the document.")
@click.option("--trashed", is_flag=True, help="What is in the trash.")
@click.option("--ordering", help="received, document_date, title, filename or size; with - descending.")
@click.option("-n", "--limit", default=50, show_default=True, type=click.IntRange(1), help="At most so many.")
@connected
@click.pass_obj
def list_(connection: Connection, /, limit: int, query: str | None, tags: Sequence[str], **filters: Any) -> None:
    """List documents, newest first."""
    with connection.client() as client:
        page = client.get("/api/documents", q=query, tag=tags, page_size=min(limit, 200), **filters)
        results, count = page["results"], page["count"]
        while page["next"] and len(results) < limit:
            page = client.get(page["next"])
            results += page["results"]
    results = results[:limit]
    if connection.as_json:
        write_json({"count": count, "results": results})
        return
    for each in results:
        date = each["document_date"] or each["received_at"][:10]
        click.echo(f"{each['id']}  {_status_word(each['status'])}  {date}  {plain(each['title'])}")
    click.echo(f"{len(results)} of {count}", err=True)


@main.command()
@click.argument("document_id", metavar="ID")
@connected
@click.pass_obj
def show(connection: Connection, document_id: str) -> None:
    """Show a document: where it stands, its metadata, its steps."""
    with connection.client() as client:
        document = client.get(f"/api/documents/{segment(document_id)}")
    if connection.as_json:
        write_json(document)
        return
    click.echo(click.style(plain(document["title"]), bold=True))
    for name in ("id", "status", "filename", "media_type", "size", "pages", "received_at", "version"):
        row(name, document[name])
    if failure := document["failure"]:
        row("problem", f"{failure['code']}: {failure['message']} {failure['hint']}")
    for name, value in document["metadata"].items():
        row(name, _shown_value(value))
    for step in document["steps"]:
        row(step["step"], " ".join(str(part) for part in (step["state"], step["code"], step["finished"]) if part))


@main.command()
@click.argument("query")
@click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(1, 200), help="At most so many hits.")
@connected
@click.pass_obj
def search(connection: Connection, query: str, limit: int) -> None:
    """Find documents by their words."""
    with connection.client() as client:
        found = client.get("/api/search", q=query, page_size=limit)
    if connection.as_json:
        write_json(found)
        return
    for hit in found["hits"]:
        page = f", page {hit['page_numbers'][0]}" if hit["page_numbers"] else ""
        click.echo(f"{click.style(plain(hit['title']), bold=True)}  ({hit['id']}{page})")
        click.echo(f"    {_marked(hit['snippet'])}")
    click.echo(f"{found['total']} found in {found['took_ms']:.0f} ms", err=True)


@main.command()
@click.argument("document_id", metavar="ID")
@click.option("--original", "part", flag_value="original", help="The bytes as uploaded.")
@click.option("--pdf", "part", flag_value="pdf", default=True, help="The searchable PDF.  [default]")
@click.option("--text", "part", flag_value="text", help="The text alone.")
@click.option("-o", "--output", help="File or directory to write to; - is standard output.")
@connected
@click.pass_obj
def download(connection: Connection, document_id: str, part: str, output: str | None) -> None:
    """Download a document."""
    path = f"/api/documents/{segment(document_id)}/{part}{'?format=plain' if part == 'text' else ''}"
    with connection.client() as client, client.download(path) as answer:
        if output == "-":
            for piece in answer.iter_bytes(PIECE_BYTES):
                sys.stdout.buffer.write(piece)
            return
        target = _target(answer, output, f"{document_id}.{'txt' if part == 'text' else part}")
        _save(answer, target)
    if connection.as_json:
        write_json({"id": document_id, "path": str(target), "size": target.stat().st_size})
    else:
        click.echo(str(target))


@main.command()
@connected
@click.pass_obj
def status(connection: Connection) -> None:
    """Show how many documents stand where, and whether everything answers."""
    with connection.client() as client:
        counts, ready = client.get("/api/status"), client.ready()
    if connection.as_json:
        write_json(counts | ready)
    else:
        for name, number in counts["documents"].items():
            row(name, number)
        row("waiting to be sent", counts["outbox"])
        for name, state in ready["dependencies"].items():
            provider = f" ({state['provider']})" if state["provider"] else ""
            row(name, ("ok" if state["ok"] else state["message"]) + provider)
    sys.exit(0 if ready["status"] != "unavailable" else 1)


main.add_command(dead_letters)
main.add_command(sweep)
main.add_command(s3_notifications)


def _say_outcome(outcome: "Outcome") -> None:
    colour = "green" if outcome.ok else "red"
    word = click.style(f"{outcome.word:10}", fg=colour)
    reason = " ".join(part for part in (outcome.code, outcome.message) if part)
    click.echo(" ".join(part for part in (word, plain(outcome.path), outcome.id, plain(reason)) if part))


def _silent(_outcome: "Outcome") -> None:
    return


def _marked(snippet: Sequence[Mapping[str, Any]]) -> str:
    parts = [(plain(part["text"]), part["hit"]) for part in snippet]
    return "".join(click.style(text, underline=True) if hit else text for text, hit in parts).strip()


def _status_word(word: str) -> str:
    colour = {"ready": "green", "attention": "red", "processing": "yellow"}.get(word)
    return click.style(f"{word:10}", fg=colour)


def _shown_value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_shown_value(each) for each in value)
    if not value:
        return ""
    plain = value["value"]
    if isinstance(plain, dict):
        return f"{plain['value']} {plain['currency'] or ''}".strip()
    return str(plain)


def _target(answer: "httpx.Response", output: str | None, default: str) -> Path:
    name = _name_in(answer.headers.get("content-disposition", "")) or default
    if output is None:
        target = Path(name)
        if target.exists():
            raise click.ClickException(f"{target} exists; name another file with -o.")
        return target
    return Path(output, name) if Path(output).is_dir() else Path(output)


def _name_in(disposition: str) -> str:
    from urllib.parse import unquote

    _, _, extended = disposition.partition("filename*=UTF-8''")
    return PurePath(unquote(extended).replace("\\", "/")).name


def _save(answer: "httpx.Response", target: Path) -> None:
    partial = target.with_name(f".{target.name[:200]}.part")
    try:
        with partial.open("wb") as file:
            for piece in answer.iter_bytes(PIECE_BYTES):
                file.write(piece)
        partial.replace(target)
    except OSError as error:
        raise click.ClickException(f"{target} cannot be written ({error.strerror}).") from error
    finally:
        partial.unlink(missing_ok=True)


def _setting_problem(problem: Mapping[str, Any]) -> str:
    name = "_".join(str(part) for part in problem["loc"]).upper()
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{name}: {message}" if name else message
