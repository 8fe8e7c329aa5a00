"""Keyset pagination: one page of a query and the cursors of its neighbours; the last page is as fast as the first."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, literal, tuple_
from sqlalchemy.orm import Session

from web.cursors import Cursor, Key, decode
from web.errors import InvalidCursor

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Sort:
    """An order of rows: by `key` (of `kind`, never null), then by `tie` (text). `name` begins with - to descend."""

    name: str
    kind: type[str] | type[int] | type[datetime]
    key: ColumnElement[Any]
    tie: ColumnElement[str]

    @property
    def descending(self) -> bool:
        """Whether the greatest comes first."""
        return self.name.startswith("-")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list; the cursors lead to its neighbours, None where there is none."""

    count: int
    next_cursor: str | None
    previous_cursor: str | None
    results: tuple[T, ...]

    def with_results(self, results: tuple[U, ...]) -> "Page[U]":
        """The same page with other results in the place of these."""
        return Page(self.count, self.next_cursor, self.previous_cursor, results)

    def mapped(self, view: Callable[[T], U]) -> "Page[U]":
        """The same page with each result shown otherwise."""
        return self.with_results(tuple(view(row) for row in self.results))


def keyset_page(
    session: Session, query: Select[T], sort: Sort, *, cursor: str | None, page_size: int, count: int
) -> Page[T]:
    """One page of the rows of `query`. Raises InvalidCursor for a cursor of another list."""
    place = decode(cursor, ordering=sort.name) if cursor else None
    backwards = place is not None and place.backwards
    found = session.execute(_scan(query, sort, place).limit(page_size + 1)).all()
    rows = found[:page_size][:: -1 if backwards else 1]
    more = len(found) > page_size
    later, earlier = (True, more) if backwards else (more, place is not None)
    return Page(
        count,
        _cursor(rows[-1], sort, backwards=False) if rows and later else None,
        _cursor(rows[0], sort, backwards=True) if rows and earlier else None,
        tuple(row[0] for row in rows),
    )


def _scan(query: Select[T], sort: Sort, place: Cursor | None) -> Select[T, Any, str]:
    ascending = sort.descending == (place is not None and place.backwards)
    if place is not None:
        here = tuple_(sort.key, sort.tie)
        there = tuple_(literal(_parsed(place.value, sort), sort.key.type), literal(place.id, sort.tie.type))
        query = query.where(here > there if ascending else here < there)
    order = (sort.key.asc(), sort.tie.asc()) if ascending else (sort.key.desc(), sort.tie.desc())
    return query.add_columns(sort.key, sort.tie).order_by(*order)


def _cursor(row: Any, sort: Sort, *, backwards: bool) -> str:
    value = row[1].isoformat() if isinstance(row[1], datetime) else row[1]
    return Cursor(sort.name, value, row[2], backwards).encode()


def _parsed(value: Key, sort: Sort) -> Any:
    try:
        if sort.kind is datetime:
            return datetime.fromisoformat(str(value))
    except ValueError as error:
        raise InvalidCursor("the cursor is not one of this list") from error
    if not isinstance(value, sort.kind):
        raise InvalidCursor("the cursor is not one of this list")
    return value
