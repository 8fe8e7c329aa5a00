"""The web pages: server-rendered, usable before scripts run; scripts then use the JSON API like any other client."""

from functools import cache

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from web.access import Guarded, GuardedMount, Need, Operation, page
from web.context import Context
from web.errors import RequestError
from web.pages.activity import ActivityPage
from web.pages.assets import Assets
from web.pages.checks import ChecksPage
from web.pages.comparison import ComparisonPage
from web.pages.document import DocumentPage
from web.pages.errors import show_error
from web.pages.events import EventsPage
from web.pages.home import HomePage
from web.pages.letters import LetterPage, LettersPage
from web.pages.lists import DocumentsPage, ReviewPage
from web.pages.rendering import Renderer
from web.pages.replays import ReplayPage, ReplaysPage
from web.pages.search import SearchPage
from web.pages.settings import SettingsPage
from web.pages.upload import UploadPage, take_form


def routes(_context: Context) -> list[BaseRoute]:
    """All pages, and the files they are made of."""
    assets, renderer = _assets(), _renderer()
    return [
        page("/", HomePage(renderer)),
        page("/documents", DocumentsPage(renderer)),
        page("/documents/{id}", DocumentPage(renderer)),
        page("/documents/{id}/comparison", ComparisonPage(renderer)),
        page("/review", ReviewPage(renderer)),
        page("/search", SearchPage(renderer)),
        page("/activity", ActivityPage(renderer)),
        page("/activity/dead-letters", LettersPage(renderer), need=Need.ADMIN),
        page("/activity/dead-letters/{id}", LetterPage(renderer), need=Need.ADMIN),
        page("/activity/replays", ReplaysPage(renderer), need=Need.ADMIN),
        page("/activity/replays/{id}", ReplayPage(renderer), need=Need.ADMIN),
        page("/activity/checks", ChecksPage(renderer), need=Need.ADMIN),
        page("/activity/events", EventsPage(renderer)),
        _upload(renderer),
        page("/settings", SettingsPage(renderer)),
        GuardedMount("/static", assets, need=Need.PUBLIC, name="static"),
    ]


def error_page(request: Request, error: RequestError) -> Response:
    """An error that a person meets outside the API."""
    return show_error(_renderer(), request, error)


def _upload(renderer: Renderer) -> Guarded:
    operations = {"GET": Operation(UploadPage(renderer), Need.READ), "POST": Operation(take_form, Need.WRITE)}
    return Guarded("/upload", operations, described=False)


@cache
def _assets() -> Assets:
    return Assets()


@cache
def _renderer() -> Renderer:
    return Renderer(_assets())
