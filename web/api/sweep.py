"""The sweep for operators: what it found, and one more of them, or a report of what one would do."""

from dataclasses import asdict

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from web.access import Guarded, Need, Operation
from web.api.answers import json_answer, read_json
from web.api.sweep_models import SweepFinding, SweepReport, SweepRequest, SweepStatus
from web.context import Context, context_of
from web.sweep import Sweep
from web.sweep.findings import all_findings
from web.sweep.history import last_sweep
from web.sweep.publishing import NoBroker
from web.sweep.swept import Swept

MOST_FINDINGS = 1000
PART_SECONDS = 10.0
"""A request has a minute, and few of a sweep's parts need long."""


def status(request: Request) -> Response:
    """Show when there was a sweep last, and what stands of its findings."""
    engine = context_of(request).engine
    count, rows = all_findings(engine, MOST_FINDINGS)
    swept_at, report = last_sweep(engine)
    findings = tuple(
        SweepFinding(
            id=row.id,
            kind=row.kind,
            key=row.key,
            message=row.message,
            document_id=row.document_id,
            found_at=row.found_at,
            seen_at=row.seen_at,
        )
        for row in rows
    )
    last = SweepReport.model_validate(report) if report else None
    return json_answer(SweepStatus(last_swept_at=swept_at, last=last, count=count, findings=findings))


async def sweep(request: Request) -> Response:
    """Sweep now; with `report` only say what would be done."""
    wanted = await read_json(request, SweepRequest)
    context = context_of(request)
    swept = await run_in_threadpool(_sweep(context).run, report=wanted.report, part_seconds=PART_SECONDS)
    context.relay.wake()
    return json_answer(sweep_report(swept))


def sweep_report(swept: Swept) -> SweepReport:
    """A sweep as it is told."""
    return SweepReport.model_validate(
        asdict(swept)
        | {
            "did": swept.counts,
            "findings": [asdict(found) | {"id": found.id} for found in swept.findings],
        }
    )


def _sweep(context: Context) -> Sweep:
    search = context.search
    return context.sweep or Sweep(
        context.engine,
        context.store,
        context.relay.publisher or NoBroker(),
        search_enabled=search is not None,
        generation=(lambda: search.generation) if search else None,
    )


SWEEP_ROUTES = [
    Guarded(
        "/api/sweep",
        {
            "GET": Operation(status, Need.ADMIN, {200: SweepStatus}),
            "POST": Operation(sweep, Need.ADMIN, {200: SweepReport}, body=SweepRequest),
        },
    ),
]
"""Of all owners."""
