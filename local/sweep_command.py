"""`docuelevate sweep`: put right what stands still, got lost or went wrong, or only report it."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from local.terminal import Connection, connected, plain, write_json

MOST_LINES = 100


@click.command()
@click.option("--report", is_flag=True, help="Change nothing; list what would be done, and what cannot be repaired.")
@click.option(
    "--direct",
    is_flag=True,
    help="Work in this process, on what DATABASE_URL, DATA_DIR or S3_*, and BROKER_URL name; ask no server.",
)
@connected
@click.pass_obj
def sweep(connection: Connection, report: bool, direct: bool) -> None:
    """Look after documents that stand still, files that nobody told of, dead letters, objects and originals.

    A server sweeps by itself; this does it now. Ends with 1 where something was out of reach.
    """
    if direct:
        told = _direct(report=report)
    else:
        with connection.client() as client:
            told = client.post("/api/sweep", {"report": report})
    if connection.as_json:
        write_json(told)
    else:
        _show(told)
    sys.exit(1 if told["failures"] else 0)


def _direct(*, report: bool) -> dict[str, Any]:
    from pydantic import ValidationError

    from shared.database.readiness import require_current
    from shared.database.settings import DatabaseSettings
    from shared.errors import Unavailable
    from web.api.sweep import sweep_report
    from web.sweep.configured import configured_sweep
    from web.sweep.settings import SweepBrokerSettings

    try:
        _require_database(DatabaseSettings().url)
        sweep = configured_sweep(SweepBrokerSettings().broker_url)
        require_current(sweep.engine)
    except ValidationError as error:
        raise click.ClickException(str(error.errors(include_url=False, include_input=False)[0]["msg"])) from error
    except Unavailable as error:
        raise click.ClickException(str(error)) from error
    swept = sweep.run(report=report, part_seconds=float("inf") if report else 600.0)
    return sweep_report(swept).model_dump(mode="json")


def _require_database(url: str) -> None:
    """Refuse a file that is not there: opening it would make an empty one, wherever a wrong DATA_DIR points."""
    from sqlalchemy import make_url

    file = make_url(url)
    if file.get_backend_name() == "sqlite" and not Path(file.database or "").exists():
        raise click.ClickException(f"There is no database at {file.database}: set DATA_DIR or DATABASE_URL.")


def _show(told: Mapping[str, Any]) -> None:
    done = {name: count for name, count in told["did"].items() if count}
    for line in told["lines"][:MOST_LINES]:
        would = "would be " if told["report"] else ""
        words = f"{would}{line['deed'].replace('_', ' ')}"
        click.echo(f"{words:20}  {plain(line['subject'])}  {plain(line['detail'])}")
    if len(told["lines"]) > MOST_LINES:
        click.echo(f"… and {len(told['lines']) - MOST_LINES} more (--json lists more of them)")
    for found in told["findings"]:
        click.echo(f"{click.style(found['kind'], fg='yellow'):20}  {plain(found['key'])}  {plain(found['message'])}")
    for part, reason in told["failures"].items():
        click.echo(f"{click.style('out of reach', fg='red')}  {plain(part)}: {plain(reason)}")
    looked = ", ".join(f"{count} {name}" for name, count in told["checked"].items() if count)
    click.echo(f"Looked at {looked or 'nothing that is there'}.", err=True)
    total = sum(done.values())
    words = "would be done" if told["report"] else "done"
    click.echo(f"{total} thing(s) {words}, {len(told['findings'])} finding(s).", err=True)
    if not told["complete"]:
        click.echo("Not everything could be looked at in time: --direct has no limit.", err=True)
