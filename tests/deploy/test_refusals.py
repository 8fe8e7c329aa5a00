"""What cannot work is refused before anything is installed, in a sentence that says what to do."""

from typing import Any

import pytest

from tests.deploy.rendering import Refused, render

SECRETS = {
    "DATABASE_URL": "postgresql://docuelevate:password@postgres:5432/docuelevate",
    "SESSION_SECRET": "0123456789abcdef0123456789abcdef",
}
ENV = {"S3_ENDPOINT_URL": "https://s3.example.org", "MEILISEARCH_URL": "http://meilisearch:7700"}

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "sqlite": ({"secrets": {"DATABASE_URL": "sqlite:///data.db"}}, "SQLite is a file of one machine"),
    "another database": ({"secrets": {"DATABASE_URL": "mysql://db"}}, "must begin with postgresql://"),
    "no database": ({"secrets": {"DATABASE_URL": ""}}, "secrets.DATABASE_URL is missing"),
    "short secret": ({"secrets": {"SESSION_SECRET": "short"}}, "must have at least 32 characters"),
    "directory store": ({"env": {"OBJECT_STORE": "directory"}}, "env.OBJECT_STORE must be s3"),
    "nowhere to store": ({"env": {"S3_ENDPOINT_URL": ""}}, "Nothing says where the objects are"),
    "embedded index": ({"env": {"SEARCH_PROVIDER": "embedded"}}, "the embedded index is a directory of one machine"),
    "nowhere to search": ({"env": {"MEILISEARCH_URL": ""}}, "Search needs a Meilisearch"),
    "open to everybody": ({"env": {"AUTH_ENABLED": "false"}}, 'env.AUTH_ENABLED must be "true"'),
    "unknown variable": ({"env": {"OCR_LANGUAGE": "eng"}}, "env.OCR_LANGUAGE: nothing in a cluster reads"),
    "unknown secret": ({"secrets": {"OPENAI_KEY": "sk"}}, "secrets.OPENAI_KEY: nothing reads this variable"),
    "secret among env": ({"env": {"OPENAI_API_KEY": "sk"}}, "env.OPENAI_API_KEY: this is a secret"),
    "env among secrets": ({"secrets": {"OCR_LANGUAGES": "eng"}}, "secrets.OCR_LANGUAGES: this is no secret"),
    "ours among extraEnv": ({"extraEnv": {"DATABASE_URL": "x"}}, "extraEnv.DATABASE_URL"),
    "secret of one unit": ({"functions": {"enrich": {"env": {"OPENAI_API_KEY": "sk"}}}}, "functions.enrich.env.OPENAI"),
    "what the chart sets": ({"env": {"PORT": "80"}}, "env.PORT: the chart sets it itself"),
    "both secrets": ({"existingSecret": "mine"}, "existingSecret and secrets are both set"),
    "half a key": ({"secrets": {"AWS_ACCESS_KEY_ID": "key"}}, "go together"),
    "azure without key": (
        {"env": {"OCR_PROVIDER": "azure", "AZURE_REGION": "westeurope"}},
        "needs secrets.AZURE_AI_KEY",
    ),
    "openai without key": ({"env": {"AI_PROVIDER": "openai"}}, "needs secrets.OPENAI_API_KEY"),
    "gotenberg nowhere": ({"env": {"CONVERTER": "gotenberg"}}, "needs env.GOTENBERG_URL"),
    "rabbit without config": (
        {"broker": {"class": "RabbitMQBroker"}},
        "a RabbitMQ Broker needs a RabbitmqBrokerConfig",
    ),
    "broker of no name": ({"broker": {"create": False}}, "broker.create=false needs broker.name"),
    "weak store, many pods": ({"env": {"REQUIRE_CONDITIONAL_WRITES": "false"}}, "needs maxScale: 1"),
    "former worker": ({"worker": {"replicaCount": 4}}, "there are no workers any more"),
    "former workdir": ({"env": {"WORKDIR": "/workdir"}}, "env.WORKDIR: there is no shared directory any more"),
}

WRONG_FORMS: dict[str, dict[str, Any]] = {
    "a misspelt value": {"web": {"replicas": 2}},
    "a misspelt function": {"functions": {"orc": {}}},
    "a time beyond Knative's": {"functions": {"ocr": {"timeoutSeconds": 601}}},
    "a duration of no form": {"broker": {"delivery": {"backoffDelay": "1s"}}},
    "an unknown backoff": {"broker": {"delivery": {"backoffPolicy": "constant"}}},
    "an unknown class": {"broker": {"class": "Pulsar"}},
    "a number for a text": {"env": {"OCR_BATCH_PAGES": []}},
}


def refusal(values: dict[str, Any]) -> str:
    env, secrets = ENV | values.pop("env", {}), SECRETS | values.pop("secrets", {})
    with pytest.raises(Refused) as refused:
        render(env=env, secrets=secrets, **values)
    return str(refused.value)


def test_the_values_are_right_otherwise() -> None:
    assert render(env=ENV, secrets=SECRETS).functions


@pytest.mark.parametrize(("values", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_work_is_refused(values: dict[str, Any], sentence: str) -> None:
    assert sentence in refusal(dict(values))


@pytest.mark.parametrize("values", WRONG_FORMS.values(), ids=WRONG_FORMS)
def test_what_has_the_wrong_form_is_refused(values: dict[str, Any]) -> None:
    assert "schema" in refusal(dict(values))


def test_all_that_is_wrong_is_told_at_once() -> None:
    told = refusal({"env": {"OBJECT_STORE": "directory"}, "secrets": {"DATABASE_URL": "sqlite:///x"}})
    assert "OBJECT_STORE" in told and "SQLite" in told
