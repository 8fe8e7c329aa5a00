"""`GET /metrics`, for Prometheus: of the whole instance, so for administrators, and for who holds METRICS_TOKEN."""

from starlette.requests import Request
from starlette.responses import Response

from web.access import Guarded, Need, Operation
from web.context import context_of


def metrics(request: Request) -> Response:
    """Tell in the text format of Prometheus how the whole instance does: documents, steps, queues, costs, requests."""
    content, media_type = context_of(request).metrics.exposition(request.headers.get("accept", ""))
    return Response(content, headers={"Content-Type": media_type})


METRICS_ROUTES = [Guarded("/metrics", {"GET": Operation(metrics, Need.METRICS, {200: "text/plain"})})]
