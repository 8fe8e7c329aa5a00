"""What lost attempts and old leases have left beside a committed result (rules 6).

An attempt goes when the commits of its work name others, nobody can hold a lease on the work, and no row names it.
"""

from collections.abc import Sequence
from itertools import groupby

from pydantic import ValidationError

from shared.database.tables import Document
from shared.documents import PIPELINE
from shared.errors import ObjectNotFound
from shared.leases import LIFE_SECONDS, is_lease
from shared.results import StepResult
from shared.storage import keys
from shared.storage.port import ObjectInfo
from web.sweep.round import STILL_WRITING, Round
from web.sweep.swept import Deed

_COMMIT = "result.json"
_WORK_SEGMENTS = 4


def remove_lost_attempts(round_: Round, row: Document, infos: Sequence[ObjectInfo]) -> None:
    """Look at each work of the document."""
    steps = tuple(f"{keys.document_prefix(row.id)}{step.value}/" for step in PIPELINE)
    at_work = [info for info in infos if info.key.startswith(steps) and info.key.count("/") >= _WORK_SEGMENTS]
    for prefix, works in groupby(at_work, _work_of):
        _tidy(round_, row, prefix, list(works))


def _work_of(info: ObjectInfo) -> str:
    return "/".join(info.key.split("/")[:_WORK_SEGMENTS]) + "/"


def _tidy(round_: Round, row: Document, prefix: str, infos: Sequence[ObjectInfo]) -> None:
    names = {info.key.removeprefix(prefix): info for info in infos}
    leases = [info for info in infos if is_lease(info.key)]
    if _COMMIT not in names:
        expired = [info for info in leases if info.age_seconds > LIFE_SECONDS]
        round_.swept.saw("expired leases", len(expired))
        return
    attempts = {name.partition("/")[0] for name in names if "/" in name}
    if not leases and len(attempts) <= 1:
        return
    if any(round_.age(info) < STILL_WRITING for info in infos):
        return
    kept = _committed(round_, prefix, [name for name in names if "/" not in name and name.endswith(".json")])
    named = _named(row)
    doomed = list(leases)
    if kept is not None:
        doomed += [
            info
            for name, info in names.items()
            if "/" in name and name.partition("/")[0] not in kept and info.key not in named
        ]
    _remove(round_, prefix, doomed)


def _committed(round_: Round, prefix: str, names: Sequence[str]) -> set[str] | None:
    """The attempts that the commits name; None where one of these cannot be read: then nothing is judged lost."""
    kept: set[str] = set()
    for name in names:
        if not (name == _COMMIT or name.startswith("part-")):
            continue
        try:
            result = StepResult.model_validate_json(round_.store.get(prefix + name))
        except (ObjectNotFound, ValidationError):
            return None
        kept.add(result.attempt)
        kept |= {each.key.removeprefix(prefix).partition("/")[0] for each in result.payloads.values()}
    return kept


def _named(row: Document) -> set[str]:
    """The keys of all objects that the row names, however deep."""
    found: set[str] = set()
    waiting: list[object] = [row.converted, row.recognized, row.enriched, row.options, row.review]
    while waiting:
        match waiting.pop():
            case {"key": str(key), **rest}:
                found.add(key)
                waiting += rest.values()
            case dict() as content:
                waiting += content.values()
            case list() as content:
                waiting += content
    return found


def _remove(round_: Round, prefix: str, doomed: Sequence[ObjectInfo]) -> None:
    removed = 0
    for info in doomed:
        # A lease may have been taken up again since the listing; the names of attempts are never used twice.
        if is_lease(info.key) and ((head := round_.store.head(info.key)) is None or round_.age(head) < STILL_WRITING):
            continue
        if round_.repairs:
            round_.store.delete(info.key)
        removed += 1
    if removed:
        round_.did(Deed.REMOVED, prefix, "leases and attempts that lost against what is committed", times=removed)
