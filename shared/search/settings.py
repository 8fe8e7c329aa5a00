"""Which search engine is used: the variables, and the one place that chooses an implementation."""

from contextlib import suppress
from pathlib import Path

from pydantic import Field

from shared.errors import Unavailable
from shared.search.port import SearchIndex, SearchReader
from shared.settings import Settings


class SearchSettings(Settings):
    """The embedded index in the data directory, until a search server is named."""

    enable_search: bool = Field(True, description="Whether documents are indexed and can be searched.")
    data_dir: Path = Field(Path("data"), description="Directory of the objects, the database and the search index.")

    @property
    def engine(self) -> str:
        """The name of the engine, as shown and recorded."""
        return "embedded"


def search_writer(settings: SearchSettings) -> SearchIndex:
    """The writing side; exactly one process may have it open (the index function)."""
    from shared.search.tantivy_index import TantivySearchIndex

    index = TantivySearchIndex(settings.data_dir / "search")
    index.prepare()
    return index


def search_reader(settings: SearchSettings) -> SearchReader:
    """The asking side. Before the first document was indexed there is an empty index, not a missing one."""
    from shared.search.tantivy_index import TantivySearchIndex

    index = TantivySearchIndex(settings.data_dir / "search")
    with suppress(Unavailable):  # each search will say so
        index.prepare()
    return index
