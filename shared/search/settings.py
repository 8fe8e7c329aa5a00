"""Which search engine is used: the variables, and the one place that chooses an implementation."""

from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from shared.errors import Unavailable
from shared.search.port import SearchIndex, SearchReader
from shared.settings import Settings


class SearchProvider(StrEnum):
    EMBEDDED = "embedded"
    MEILISEARCH = "meilisearch"


class SearchSettings(Settings):
    """The embedded index in the data directory, until a search server is named."""

    enable_search: bool = Field(True, description="Whether documents are indexed and can be searched.")
    search_provider: SearchProvider | None = Field(
        None,
        description="Where entries are searched: `embedded`, an index in the data directory, or `meilisearch`; "
        "by default the server where `MEILISEARCH_URL` names one.",
    )
    meilisearch_url: str | None = Field(
        None, pattern=r"^https?://[^/?#\s]", description="Address of the Meilisearch server, 1.16 or later."
    )
    meilisearch_api_key: SecretStr | None = Field(
        None, description="A key of it that may write the indexes `MEILISEARCH_INDEX*`; never its master key."
    )
    meilisearch_search_key: SecretStr | None = Field(
        None,
        description="A key that may only search and read those indexes, for the web server; default: the other one.",
    )
    meilisearch_index: str = Field(
        "documents",
        pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]{0,60}$",
        description="What the names of our indexes on the server begin with.",
    )
    search_synonyms: dict[str, list[str]] = Field(
        {},
        description='Words that mean the same, for Meilisearch only: JSON such as {"car": ["automobile", "vehicle"]}.',
    )
    data_dir: Path = Field(Path("data"), description="Directory of the objects, the database and the search index.")

    @model_validator(mode="after")
    def _server_is_named(self) -> Self:
        if self.provider is SearchProvider.MEILISEARCH and not self.meilisearch_url:
            raise ValueError("SEARCH_PROVIDER=meilisearch needs MEILISEARCH_URL")
        return self

    @property
    def provider(self) -> SearchProvider:
        """The engine that is used."""
        by_default = SearchProvider.MEILISEARCH if self.meilisearch_url else SearchProvider.EMBEDDED
        return self.search_provider or by_default

    @property
    def engine(self) -> str:
        """The name of the engine, as shown and recorded."""
        return self.provider.value


def search_writer(settings: SearchSettings) -> SearchIndex:
    """The writing side; exactly one process may have it open where the index is embedded (the index function).

    Starts where the index is out of reach as well: the first event that finds none makes one.
    """
    return _prepared(_ENGINES[settings.provider](settings, settings.meilisearch_api_key))


def search_reader(settings: SearchSettings) -> SearchReader:
    """The asking side. Before the first document was indexed there is an empty index, not a missing one.

    A key that may only search can not make it: then searches say that it is missing until the index function has.
    """
    return _prepared(
        _ENGINES[settings.provider](settings, settings.meilisearch_search_key or settings.meilisearch_api_key)
    )


def _prepared(index: SearchIndex) -> SearchIndex:
    with suppress(Unavailable):  # each use will say so
        index.prepare()
    return index


def _embedded(settings: SearchSettings, _key: SecretStr | None) -> SearchIndex:
    from shared.search.tantivy_index import TantivySearchIndex

    return TantivySearchIndex(settings.data_dir / "search")


def _meilisearch(settings: SearchSettings, key: SecretStr | None) -> SearchIndex:
    from shared.search.meilisearch_client import MeilisearchClient
    from shared.search.meilisearch_index import MeilisearchSearchIndex

    client = MeilisearchClient(settings.meilisearch_url or "", key.get_secret_value() if key else None)
    return MeilisearchSearchIndex(client, name=settings.meilisearch_index, synonyms=settings.search_synonyms)


_ENGINES: dict[SearchProvider, Callable[[SearchSettings, SecretStr | None], SearchIndex]] = {
    SearchProvider.EMBEDDED: _embedded,
    SearchProvider.MEILISEARCH: _meilisearch,
}
