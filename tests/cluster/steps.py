"""The steps of the proof, in order. Each one returns a sentence on what it saw, or fails."""

import json
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.leases import held_units
from tests import papers
from tests.cluster.kubernetes import CommandFailed, Namespace, restricted, until
from tests.cluster.release import COMPONENT, FUNCTIONS, NAME, Release
from tests.cluster.settings import E2eSettings
from tests.cluster.surroundings import Surroundings
from tests.cluster.web import Web

EVENTING = Namespace("knative-eventing")

OF_HOOKS = {f"job.batch/{NAME}-migrate"}
"""What Helm makes for its hooks is no part of the release, and stays."""
LEASED = ("convert", "ocr")
"""What works for seconds, so that its lease shows when it is in the middle of something."""

KILLS = 2

ASK_ONCE = """
import sys, time, urllib.request
began = time.monotonic()
with urllib.request.urlopen(sys.argv[1], timeout=120) as answer:
    answer.read()
print(time.monotonic() - began)
"""


@dataclass
class Proof:
    """What the steps share."""

    settings: E2eSettings
    around: Surroundings
    here: Namespace
    release: Release
    web: Web
    uploaded: dict[str, bytes] = field(default_factory=dict)
    cold_starts: dict[str, float] = field(default_factory=dict)

    def limit(self, seconds: float) -> float:
        """A limit of time, for slower clusters longer."""
        return seconds * self.settings.patience

    def upload(self, **files: bytes) -> list[str]:
        """Upload, and remember what the originals were."""
        ids = self.web.upload(**files)
        self.uploaded |= zip(ids, files.values(), strict=True)
        return ids

    def ready(self, ids: list[str], seconds: float = 300) -> None:
        """Wait until all are ready: anything else fails."""
        wrong = {one: told for one, told in self.web.settled(ids, self.limit(seconds)).items() if told != "ready"}
        assert not wrong, {one: self.web.get(f"/api/documents/{one}")["steps"] for one in wrong}

    def searchable(self, words: str, ids: set[str], seconds: float = 300) -> None:
        """Wait until a search finds these documents, where there is search."""
        if self.around.meilisearch_url:
            until(lambda: ids <= self.web.found(words), self.limit(seconds), f"{words!r} finds {self.web.found(words)}")

    def nothing_is_dead(self) -> None:
        """No event was given up."""
        letters = self.web.get("/api/dead-letters", state="open")["results"]
        assert not letters, [(one["trigger"], one["event_type"], one.get("status")) for one in letters]


def note() -> tuple[str, bytes]:
    """A text of its own, and the word in it that no other has."""
    word = "lampe" + "".join(secrets.choice("bdfgklmnprst") + secrets.choice("aeiou") for _ in range(5))
    return word, f"{papers.LETTER}\nThe lantern is called {word}.\n".encode()


def conformance(proof: Proof) -> str:
    """The table of delivery cases, on this cluster's broker."""
    command = [sys.executable, "-m", "pytest", str(Path(__file__).with_name("test_conformance.py"))]
    done = subprocess.run(command, capture_output=True, text=True)
    told = done.stdout.strip().splitlines()
    assert done.returncode == 0, "\n".join(told[-15:])
    return told[-1]


def install(proof: Proof) -> str:
    """Into an empty namespace and an empty database."""
    assert proof.around.count("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'") == 0
    proof.release.install()
    tables = proof.around.count("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'")
    assert tables > 10
    return f"migrated by the hook ({tables} tables), web and six functions ready"


def sign_in(proof: Proof) -> str:
    """A token made beside the database, as docs/deployment.md says."""
    name = "token"
    secret = {"secretKeyRef": {"name": f"{NAME}-secrets", "key": "DATABASE_URL"}}
    command = ("docuelevate", "token", "create", "e2e", "--scope", "admin", "--json")
    spec = restricted(
        name, proof.settings.image("migrate"), command, env=[{"name": "DATABASE_URL", "valueFrom": secret}]
    )
    proof.here.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
    proof.here.wait("jsonpath={.status.phase}=Succeeded", f"pod/{name}", seconds=int(proof.limit(120)))
    logs = proof.here.kubectl("logs", name)
    told = json.loads(logs[logs.index("{") :])
    proof.here.kubectl("delete", "pod", name)
    proof.web.sign_in(told["token"])
    assert proof.web.documents() == []
    return f"a token of scope {told['scope']} by a pod of the migrate image"


def upload(proof: Proof) -> str:
    """One document of each kind, each ready, found, and downloadable as it was."""
    word, text = note()
    office, said = note()
    files = {
        f"{word}__txt": text,
        f"{office}__docx": papers.docx(*said.decode().splitlines()),
        "scan__pdf": papers.scan([papers.LETTER]),
        "photo__png": papers.png(papers.INVOICE),
    }
    began = time.monotonic()
    ids = proof.upload(**files)
    proof.ready(ids, 420)
    took = time.monotonic() - began
    proof.searchable(word, {ids[0]})
    proof.searchable(office, {ids[1]})
    proof.searchable("lighthouse", {ids[0], ids[1], ids[2]})
    for one, body in zip(ids, files.values(), strict=True):
        assert proof.web.ask("GET", f"/api/documents/{one}/original").content == body
        assert proof.web.ask("GET", f"/api/documents/{one}/pdf").content.startswith(b"%PDF")
    proof.nothing_is_dead()
    return f"text, office file, scan and photo ready {took:.0f} s after the upload"


def helm_test(proof: Proof) -> str:
    """The chart's own test."""
    proof.release.test()
    return "passed"


def scale(proof: Proof) -> str:
    """All functions go, and each comes back for a request."""
    began = time.monotonic()
    nobody_is_left(proof)
    gone = time.monotonic() - began
    asker = proof.release.names("web")[0]
    for name in FUNCTIONS:
        url = f"{proof.release.address(name)}/health"
        proof.cold_starts[name] = float(proof.here.python(asker, ASK_ONCE, url, container="web"))
    told = ", ".join(f"{name} {seconds:.1f}" for name, seconds in proof.cold_starts.items())
    return f"all at zero after {gone:.0f} s; cold starts in seconds: {told}"


def nobody_is_left(proof: Proof) -> None:
    """Wait until no function has a pod."""
    until(
        lambda: not any(proof.release.pods(name) for name in FUNCTIONS),
        proof.limit(300),
        lambda: f"still there: {[pod for name in FUNCTIONS for pod in proof.release.names(name)]}",
    )


def drop(proof: Proof) -> str:
    """A file put into the bucket, while all functions are at zero."""
    nobody_is_left(proof)
    word, text = note()
    proof.around.store.put(f"incoming/tag=dropped/{word} ü.txt", text, media_type="text/plain")
    began = time.monotonic()
    found = until(lambda: named(proof, word), proof.limit(240), "the dropped file did not become a document")
    arrived = time.monotonic() - began
    proof.ready([found])
    took = time.monotonic() - began
    proof.uploaded[found] = text
    document = proof.web.get(f"/api/documents/{found}")
    assert document["channel"] == "s3", document["channel"]
    until(lambda: not [*proof.around.store.list("incoming/")], proof.limit(60), "the dropped file is still there")
    proof.searchable(word, {found})
    return f"a document after {arrived:.0f} s, ready after {took:.0f} s from zero" + (
        ", told by the store's webhook" if proof.around.notifies else ", found by listing"
    )


def named(proof: Proof, word: str) -> str | None:
    """The document whose file name has this word."""
    return next((one["id"] for one in proof.web.documents() if word in one["filename"]), None)


def kill_in(function: str) -> Callable[[Proof], str]:
    """A step that kills the pods of a function while it works."""

    def kill(proof: Proof) -> str:
        words, ids = work_for(proof, function)
        began, kills, held = time.monotonic(), 0, 0
        ends = began + proof.limit(120)
        while kills < KILLS and time.monotonic() < ends:
            pods = [pod for pod in proof.release.pods(function) if pod["status"]["phase"] == "Running"]
            holding = function in LEASED and any(is_held(proof, one, function) for one in ids)
            if pods and (holding or function not in LEASED):
                for pod in pods:
                    proof.here.kill(pod["metadata"]["name"])
                kills, held = kills + 1, held + holding
                time.sleep(2)
            time.sleep(0.1)
        assert kills, f"{function} did not run"
        assert held or function not in LEASED
        ids = ids or until(lambda: arrived(proof, words), proof.limit(300), "dropped files are missing")
        proof.ready(ids, 420)
        took = time.monotonic() - began
        for word, one in zip(words, ids, strict=True):
            proof.searchable(word, {one})
        proof.nothing_is_dead()
        while_at_it = f", {held} times while it held a lease" if function in LEASED else ""
        return f"killed {kills} times{while_at_it}; all {len(ids)} documents ready after {took:.0f} s"

    return kill


def arrived(proof: Proof, words: list[str]) -> list[str] | None:
    """The documents of these dropped files, once all are there."""
    found = [named(proof, word) for word in words]
    return None if None in found else [one for one in found if one]


def is_held(proof: Proof, document_id: str, step: str) -> bool:
    return bool(held_units(proof.around.store, f"documents/{document_id}/{step}/"))


def work_for(proof: Proof, function: str) -> tuple[list[str], list[str]]:
    """Give a function something to do: the words to find the documents by, and their ids unless they are dropped."""
    notes = [note() for _ in range(3)]
    words = [word for word, _ in notes]
    if function == "ingest":
        for word, text in notes:
            proof.around.store.put(f"incoming/{word}.txt", text, media_type="text/plain")
        return words, []
    if function == "ocr":
        pages = [f"{papers.LETTER}\n{number}\n{secrets.randbelow(10**9)}" for number in range(4)]
        return ["lighthouse"], proof.upload(book__pdf=papers.scan(pages))
    if function == "convert":
        files = {f"{word}__docx": papers.docx(*text.decode().splitlines()) for word, text in notes}
        return words, proof.upload(**files)
    return words, proof.upload(**{f"{word}__txt": text for word, text in notes})


def dispatcher(proof: Proof) -> str:
    """The in-memory channel dies with all that it holds: sweep must send it again."""
    (pod,) = EVENTING.pods("messaging.knative.dev/role=dispatcher")
    notes = [note() for _ in range(6)]
    before = proof.around.count("SELECT count(*) FROM events")
    began = time.monotonic()
    ids = proof.upload(**{f"{word}__txt": text for word, text in notes})
    until(lambda: proof.around.count("SELECT count(*) FROM events") > before, proof.limit(120), "nothing moved")
    EVENTING.kill(pod["metadata"]["name"])
    EVENTING.kubectl("rollout", "status", "deployment/imc-dispatcher", "--timeout=180s")
    sent_again = 0

    def done() -> bool:
        nonlocal sent_again
        sent_again = max(sent_again, proof.around.count("SELECT count(*) FROM documents WHERE resends > 0"))
        return all(proof.web.get(f"/api/documents/{one}")["status"] != "processing" for one in ids)

    until(
        done, proof.limit(600), lambda: f"still processing: {[proof.web.get(f'/api/documents/{one}') for one in ids]}"
    )
    took = time.monotonic() - began
    proof.ready(ids)
    for (word, _), one in zip(notes, ids, strict=True):
        proof.searchable(word, {one}, 420)
    proof.nothing_is_dead()
    return f"{sent_again} of {len(ids)} documents sent on by sweep; all ready after {took:.0f} s"


def replay(proof: Proof) -> str:
    """Everything again: nothing is worked on twice, and each document has a new run."""
    known = proof.web.documents()
    done = proof.around.digests("documents/")
    runs = {one["id"]: proof.web.get(f"/api/documents/{one['id']}")["runid"] for one in known}
    began = proof.web.post("/api/events/replay", mode="reprocess", **{"from": "convert"}, filter={}, rate=50)

    def progress() -> Any:
        told = proof.web.get(f"/api/replays/{began['id']}")
        return told if told["state"] != "running" else None

    told = until(progress, proof.limit(300), "the replay did not end")
    assert told["state"] == "done" and told["count"] == len(known), told
    proof.ready(list(runs), 600)
    moved = [one for one, run in runs.items() if proof.web.get(f"/api/documents/{one}")["runid"] != run]
    assert len(moved) == len(known)
    again = proof.around.digests("documents/")
    results = {key for key in again.keys() - done.keys() if not key.rpartition("/")[2].startswith("lease-")}
    assert not results, sorted(results)[:5]
    proof.nothing_is_dead()
    return f"{len(known)} documents run again; no result was made anew"


def upgrade(proof: Proof) -> str:
    """With uploads and functions at work while every pod is replaced."""
    ids: list[str] = []
    words: list[str] = []
    before = proof.web.failures
    revisions = proof.here.get("revisions.serving.knative.dev")
    with going_on(lambda: hand_in(proof, ids, words), every_seconds=2):
        proof.release.upgrade(env={"LOG_LEVEL": "DEBUG"})
    made = len(proof.here.get("revisions.serving.knative.dev")) - len(revisions)
    assert made == len(FUNCTIONS), made
    assert len(ids) > 3
    proof.ready(ids, 600)
    for word, one in zip(words, ids, strict=True):
        proof.searchable(word, {one}, 420)
    proof.nothing_is_dead()
    retried = proof.web.failures - before
    return f"{made} new revisions; {len(ids)} uploads meanwhile ({retried} requests repeated), all ready"


def hand_in(proof: Proof, ids: list[str], words: list[str]) -> None:
    word, text = note()
    ids += proof.upload(**{f"{word}__txt": text})
    words.append(word)


@contextmanager
def going_on(work: Callable[[], None], *, every_seconds: float) -> Iterator[None]:
    """Do this again and again for the length of the block."""
    stop = threading.Event()

    def repeat() -> None:
        while not stop.is_set():
            work()
            stop.wait(every_seconds)

    with ThreadPoolExecutor(1) as pool:
        repeating = pool.submit(repeat)
        try:
            yield
        finally:
            stop.set()
    repeating.result()


def uninstall(proof: Proof) -> str:
    """The release goes, the data stay; installed again, it has them."""
    known = {one["id"]: one["status"] for one in proof.web.documents()}
    objects = proof.around.digests("documents/")
    nobody_is_left(proof)
    proof.release.uninstall()
    until(lambda: not proof.here.pods(f"app.kubernetes.io/instance={NAME}"), proof.limit(120), "pods are left")
    # Knative's own objects follow ours when the cluster gets to them; a hook's Job stays until the hook runs again.
    until(lambda: leftovers(proof) <= OF_HOOKS, proof.limit(120), lambda: f"left behind: {leftovers(proof)}")
    assert proof.around.count("SELECT count(*) FROM documents") == len(known)
    assert proof.around.digests("documents/") == objects
    proof.web.close()
    proof.release.extra = {}
    proof.release.install()
    assert {one["id"]: one["status"] for one in proof.web.documents()} == known
    for one, body in list(proof.uploaded.items())[:5]:
        assert proof.web.ask("GET", f"/api/documents/{one}/original").content == body
    word, text = note()
    (new,) = proof.upload(**{f"{word}__txt": text})
    proof.ready([new])
    proof.searchable(word, {new})
    proof.searchable("lighthouse", {new})
    return f"{len(known)} documents, {len(objects)} objects kept and found again; nothing left but the hook's Job"


def leftovers(proof: Proof) -> set[str]:
    """What the release leaves in the namespace. Pods that are on their way out do not count."""
    kinds = (
        "all,configmaps,secrets,serviceaccounts,brokers,triggers,services.serving.knative.dev,networkpolicies,ingresses"
    )
    told = proof.here.kubectl("get", kinds, "--selector", f"app.kubernetes.io/instance={NAME}", "--output", "name")
    return {one for one in told.split() if not one.startswith("pod/")}


@dataclass(frozen=True)
class Step:
    """A step by its name; without a foundation nothing that follows makes sense."""

    name: str
    work: Callable[[Proof], str]
    is_foundation: bool = False


STEPS = (
    Step("conformance", conformance),
    Step("install", install, is_foundation=True),
    Step("sign in", sign_in, is_foundation=True),
    Step("upload", upload),
    Step("helm test", helm_test),
    Step("scale to zero", scale),
    Step("S3 drop", drop),
    *(Step(f"kill {function}", kill_in(function)) for function in FUNCTIONS),
    Step("kill dispatcher", dispatcher),
    Step("replay", replay),
    Step("upgrade", upgrade),
    Step("uninstall", uninstall),
)


def state_of(here: Namespace) -> str:
    """What helps to understand a failure."""
    told = []
    for command in (
        ("get", "pods", "--output", "wide"),
        ("get", "services.serving.knative.dev,triggers,brokers,jobs"),
        ("get", "events", "--sort-by=.lastTimestamp", "--field-selector=type=Warning"),
        ("logs", "--selector", f"{COMPONENT}=sweep", "--tail=20"),
    ):
        try:
            told.append(here.kubectl(*command)[-3000:])
        except CommandFailed as error:
            told.append(str(error))
    return "\n".join(told)
