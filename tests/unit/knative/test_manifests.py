"""What the embedded broker reads from `knative/`. Whether it is right for a cluster is tried in tests/deploy."""

from pathlib import Path

import pytest

from local.manifests import Trigger, read_wiring
from shared.documents import Step

WIRING = read_wiring(Path(__file__).resolve().parents[3] / "knative")
each_trigger = pytest.mark.parametrize("trigger", WIRING.triggers, ids=lambda trigger: trigger.name)


def knowing(variable: str) -> set[str]:
    return {name for name, service in WIRING.services.items() if variable in {one.name for one in service.variables}}


def test_every_step_is_a_function() -> None:
    assert set(WIRING.services) == {step.value for step in Step}


@each_trigger
def test_dead_letters_go_to_record_under_the_triggers_name(trigger: Trigger) -> None:
    sink = trigger.delivery.dead_letter_sink
    assert sink is not None
    assert (sink.service, sink.path) == ("record", f"/dead-letters/{trigger.name}")


def test_only_record_receives_everything() -> None:
    assert [trigger.name for trigger in WIRING.triggers if not trigger.filters] == ["record"]


def test_index_has_one_writer() -> None:
    assert WIRING.services["index"].max_scale == 1


def test_workers_know_no_database() -> None:
    assert knowing("DATABASE_URL") == {"ingest", "record", "index"}


def test_only_enrich_knows_the_key_of_the_language_model() -> None:
    assert knowing("OPENAI_API_KEY") == {"enrich"}


def test_functions_start_ahead_in_the_order_of_the_work() -> None:
    followers = {name: service.followed_by for name, service in WIRING.services.items() if service.followed_by}
    assert followers == {"ingest": "convert", "convert": "ocr", "ocr": "enrich"}
