"""The embedded index among processes: one writer, readers that see its commits, and what a crash leaves behind."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.errors import Unavailable
from shared.search.port import SearchEntry, SearchQuery, SearchReader
from shared.search.settings import SearchSettings, search_writer
from shared.search.tantivy_index import TantivySearchIndex

ROOT = Path(__file__).parents[2]

WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from shared.search.port import SearchEntry
from shared.search.tantivy_index import TantivySearchIndex

def entry(number):
    pages = ((1, f"text nummer{number} " + "und noch viel mehr davon " * 200),)
    return SearchEntry(document_id=f"d{number}", version=number, received_at=datetime.now(UTC), pages=pages)

index = TantivySearchIndex(Path(sys.argv[1]))
index.prepare()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "search"


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def spawn(processes: list[subprocess.Popen[str]], path: Path, code: str) -> subprocess.Popen[str]:
    """A second process that runs the code with `index` and `entry` at hand."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER + code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    processes.append(process)
    return process


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def entry(document_id: str, text: str, version: int = 1) -> SearchEntry:
    received = datetime(2024, 1, 1, tzinfo=UTC)
    return SearchEntry(document_id=document_id, version=version, received_at=received, pages=((1, text),))


def ids(index: SearchReader, text: str) -> list[str]:
    return [hit.document_id for hit in index.search(SearchQuery(text=text)).hits]


def test_a_reader_sees_what_another_process_has_written(path: Path, processes: list[subprocess.Popen[str]]) -> None:
    reader = TantivySearchIndex(path)
    reader.prepare()
    assert ids(reader, "nummer7") == []
    writer = spawn(processes, path, "for line in sys.stdin:\n  index.write(entry(int(line))); print('ok', flush=True)")
    assert writer.stdin is not None
    for number in (7, 8):
        writer.stdin.write(f"{number}\n")
        writer.stdin.flush()
        assert said(writer) == "ok"
        assert ids(reader, f"nummer{number}") == [f"d{number}"]


def test_a_second_writer_is_refused_while_the_first_lives(path: Path, processes: list[subprocess.Popen[str]]) -> None:
    writer = spawn(processes, path, "index.write(entry(1)); print('ok', flush=True); sys.stdin.read()")
    assert said(writer) == "ok"
    second = TantivySearchIndex(path, lock_wait_seconds=0.1)
    with pytest.raises(Unavailable, match="another process"):
        second.write(entry("other", "x"))
    assert ids(second, "nummer1") == ["d1"]
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    second.write(entry("other", "x"))
    assert sorted(second.ids()) == ["d1", "other"]


def test_the_next_writer_waits_for_the_one_that_is_ending(path: Path) -> None:
    first = TantivySearchIndex(path)
    first.write(entry("a", "x"))
    timer = threading.Timer(0.3, first.close)
    timer.start()
    TantivySearchIndex(path, lock_wait_seconds=30).write(entry("b", "x"))
    timer.join()
    assert sorted(first.ids()) == ["a", "b"]


@pytest.mark.parametrize("acknowledged", [1, 4, 9])
def test_a_killed_writer_loses_nothing_it_has_acknowledged(
    path: Path, processes: list[subprocess.Popen[str]], acknowledged: int
) -> None:
    code = "for number in range(10_000):\n  index.write(entry(number)); print(number, flush=True)"
    writer = spawn(processes, path, code)
    while int(said(writer)) < acknowledged:
        pass
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    survivor = TantivySearchIndex(path)
    assert {f"d{number}" for number in range(acknowledged + 1)} <= set(survivor.ids())
    survivor.write(entry("after", "danach"))
    assert ids(survivor, "danach") == ["after"]
    assert ids(survivor, f"nummer{acknowledged}")[0] == f"d{acknowledged}"


def test_a_batch_that_is_cut_short_leaves_the_former_entries(
    path: Path, processes: list[subprocess.Popen[str]]
) -> None:
    index = TantivySearchIndex(path)
    index.write_all(entry(f"d{number}", "alt") for number in range(100))
    index.close()
    code = "print('go', flush=True)\nwhile True: index.write_all(entry(number) for number in range(3000))"
    writer = spawn(processes, path, code)
    assert said(writer) == "go"
    with pytest.raises(subprocess.TimeoutExpired):
        writer.wait(0.5)
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    assert {f"d{number}" for number in range(100)} <= set(TantivySearchIndex(path).ids())


def test_threads_write_together(path: Path) -> None:
    index = TantivySearchIndex(path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: index.write(entry(f"d{number}", f"nummer{number}")), range(40)))
    assert len(list(index.ids())) == 40
    assert all(ids(index, f"nummer{number}")[0] == f"d{number}" for number in range(40))


def test_two_processes_that_prepare_at_once_make_one_index(path: Path, processes: list[subprocess.Popen[str]]) -> None:
    both = [spawn(processes, path, "print(index.generation, flush=True)") for _ in range(3)]
    assert len({said(process) for process in both}) == 1


def test_a_reader_follows_a_reset(path: Path) -> None:
    writer, reader = TantivySearchIndex(path), TantivySearchIndex(path)
    writer.write(entry("a", "alt"))
    assert ids(reader, "alt") == ["a"]
    before = reader.generation
    writer.reset()
    writer.write(entry("b", "neu"))
    assert (ids(reader, "alt"), ids(reader, "neu")) == ([], ["b"])
    assert reader.generation == writer.generation != before


def test_the_writer_clears_away_indexes_of_earlier_releases(path: Path) -> None:
    for name in ("0", "old-x", "unrelated"):
        (path / name).mkdir(parents=True)
    TantivySearchIndex(path).write(entry("a", "x"))
    assert sorted(child.name for child in path.iterdir()) == ["1", "unrelated"]


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize("damage", [Path.unlink, _truncate, lambda file: file.write_bytes(b"\0" * 4096)])
@pytest.mark.parametrize("pattern", ["meta.json", "*.term", "*.idx", "*.store", "*.fast"])
def test_a_damaged_index_is_unavailable_and_a_reset_repairs_it(path: Path, pattern: str, damage: object) -> None:
    index = TantivySearchIndex(path)
    index.write(entry("a", "text"))
    index.close()
    assert callable(damage)
    for file in (path / "1").glob(pattern):
        damage(file)
    with pytest.raises(Unavailable):
        ids(TantivySearchIndex(path), "text")
    broken = TantivySearchIndex(path)
    broken.reset()
    broken.write(entry("a", "text"))
    assert ids(broken, "text") == ["a"]


FULL_DISK = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
index.write(entry(1))
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
from shared.errors import Unavailable
try:
    index.write(entry(2))
except Unavailable:
    print("refused", flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
index.write(entry(3))
print(*sorted(index.ids()), flush=True)
"""


def test_a_write_that_does_not_fit_on_the_disk_is_refused_and_the_next_one_works(
    path: Path, processes: list[subprocess.Popen[str]]
) -> None:
    writer = spawn(processes, path, FULL_DISK)
    assert said(writer) == "refused"
    assert said(writer) == "d1 d3"


def segment_file(path: Path, ending: str) -> Path:
    return sorted(path.glob(f"[0-9]*/*{ending}"))[-1]


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def overwrite(file: Path) -> None:
    body = file.read_bytes()
    file.write_bytes(b"\xff" * (len(body) // 3) + body[len(body) // 3 :])


def remove(file: Path) -> None:
    file.unlink()


DAMAGE = [
    (how, ending)
    for ending in ("meta.json", "generation", ".store", ".term", ".idx", ".pos", ".fast")
    for how in (truncate, remove)
    if not (ending == "generation" and how is truncate)
]


@pytest.mark.parametrize(("damage", "ending"), DAMAGE)
def test_a_damaged_index_is_set_aside_and_begun_anew(path: Path, damage: Callable[[Path], None], ending: str) -> None:
    with closing(TantivySearchIndex(path)) as index:
        index.write(entry("a", "lighthouse"))
        former = index.generation
    damage(segment_file(path, ending))
    with closing(TantivySearchIndex(path)) as index:
        assert index.repair()
        assert index.generation != former
        assert ids(index, "lighthouse") == []
        index.write(entry("b", "lighthouse"))
        assert ids(index, "lighthouse") == ["b"]
        assert not index.repair()
    assert len(list(path.glob("damaged-*"))) == 1


@pytest.mark.parametrize("ending", [".fast", ".term", ".store"])
def test_changed_bytes_are_found_by_a_thorough_look(path: Path, ending: str) -> None:
    with closing(TantivySearchIndex(path)) as index:
        index.write_all(entry(f"d{number}", f"lighthouse nummer{number}") for number in range(50))
    overwrite(segment_file(path, ending))
    with closing(TantivySearchIndex(path)) as index:
        assert index.repair(thorough=True)
        assert ids(index, "lighthouse") == []


def test_a_sound_index_is_left_alone(path: Path) -> None:
    with closing(TantivySearchIndex(path)) as index:
        index.write_all(entry(f"d{number}", "lighthouse") for number in range(50))
        index.remove("d7")
        assert not index.repair(thorough=True)
        assert len(set(index.ids())) == 49


def test_a_directory_that_is_lost_beneath_a_writer_is_begun_anew(path: Path) -> None:
    with closing(TantivySearchIndex(path)) as index:
        index.write(entry("a", "lighthouse"))
        shutil.rmtree(path)
        index.write(entry("b", "lighthouse"))
        assert ids(index, "lighthouse") == ["b"]


def test_only_the_last_damaged_index_is_kept(path: Path) -> None:
    with closing(TantivySearchIndex(path)) as index:
        for _ in range(3):
            index.write(entry("a", "lighthouse"))
            segment_file(path, "meta.json").write_text("{")
            assert index.repair()
    assert len(list(path.glob("damaged-*"))) == 1


def test_a_writer_without_a_place_to_write_starts_and_writes_once_there_is_one(path: Path) -> None:
    """F22: the function answers that the index is out of reach, instead of ending at its start again and again."""
    path.write_text("This is no directory.")
    index = search_writer(SearchSettings(data_dir=path.parent))
    with pytest.raises(Unavailable):
        index.write(entry("a", "leuchtturm"))
    with pytest.raises(Unavailable):
        index.repair()
    path.unlink()
    assert index.repair()
    index.write(entry("a", "leuchtturm"))
    assert ids(index, "leuchtturm") == ["a"]
