"""Which search engine the variables choose, and that only that one is loaded."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.search.settings import SearchSettings

ROOT = Path(__file__).parents[4]


def chosen(**values: object) -> str:
    """Whatever the environment says: tests on a real server name one."""
    return SearchSettings.model_validate({"meilisearch_url": None, "search_provider": None} | values).engine


def test_the_embedded_index_is_used_until_a_server_is_named() -> None:
    assert chosen() == "embedded"
    assert chosen(meilisearch_url="http://search:7700") == "meilisearch"
    assert chosen(meilisearch_url="http://search:7700", search_provider="embedded") == "embedded"


@pytest.mark.parametrize(
    "values",
    [
        {"search_provider": "meilisearch"},
        {"search_provider": "lucene"},
        {"meilisearch_url": "search:7700"},
        {"meilisearch_url": "http://"},
        {"meilisearch_index": "a b"},
        {"meilisearch_index": "*"},
    ],
)
def test_what_can_not_be_meant_stops_the_process(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        chosen(**values)


def test_keys_are_not_shown() -> None:
    settings = SearchSettings.model_validate({"meilisearch_api_key": "hidden-1", "meilisearch_search_key": "hidden-2"})
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize(("provider", "absent"), [("embedded", "httpx"), ("meilisearch", "tantivy")])
def test_only_the_engine_that_is_used_is_loaded(tmp_path: Path, provider: str, absent: str) -> None:
    code = (
        "import sys; from shared.search.settings import SearchSettings, search_reader\n"
        f"search_reader(SearchSettings(search_provider='{provider}', meilisearch_url='http://127.0.0.1:9',"
        f" data_dir={str(tmp_path)!r}))\nassert {absent!r} not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, env={"PYTHONPATH": str(ROOT)})
