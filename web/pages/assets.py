"""The files that browsers keep: styles, scripts, pictures.

Their address carries a digest of them all, so what is kept never goes stale.
"""

import hashlib
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

DIRECTORY = Path(__file__).parent.parent / "static"
_FOREVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
_MEDIA_TYPES = {
    ".mjs": "text/javascript",
    ".js": "text/javascript",
    ".wasm": "application/wasm",
    ".svg": "image/svg+xml",
    ".bcmap": "application/octet-stream",
    ".pfb": "application/octet-stream",
    ".icc": "application/octet-stream",
}


class Assets:
    """Serves `/static/<version>/<path>`; one version for all, since scripts import each other by relative path."""

    def __init__(self, directory: Path = DIRECTORY) -> None:
        self._files = StaticFiles(directory=directory)
        self.version = _digest(directory)

    def url(self, path: str) -> str:
        """The address of a file in this release."""
        return f"/static/{self.version}/{path}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the file. An address of another release gets this release's file, not to be kept."""
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405)
        version, _, path = self._files.get_path(scope).partition("/")
        response = await self._files.get_response(path, scope)
        _describe(response, path, keep=version == self.version)
        await response(scope, receive, send)


def _describe(response: Response, path: str, *, keep: bool) -> None:
    response.headers["cache-control"] = _FOREVER if keep else _ASK_AGAIN
    if media_type := _MEDIA_TYPES.get(Path(path).suffix):
        charset = "; charset=utf-8" if media_type.startswith(("text/", "image/svg")) else ""
        response.headers["content-type"] = media_type + charset


def _digest(directory: Path) -> str:
    """A digest over names and contents of all files: the same in every replica of a release."""
    digest = hashlib.sha256()
    for path in sorted(each for each in directory.rglob("*") if each.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(directory)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:12]
