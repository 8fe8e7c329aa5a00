"""The chart as a release in a namespace: installed, upgraded, uninstalled, and waited for."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.kubernetes import Namespace, run
from tests.cluster.settings import E2eSettings
from tests.cluster.surroundings import WEBHOOK_TOKEN, Surroundings

CHART = Path(__file__).resolve().parents[2] / "helm" / "docuelevate"
NAME = "docuelevate"
FUNCTIONS = ("ingest", "convert", "ocr", "enrich", "record", "index")
COMPONENT = "app.kubernetes.io/component"


def values_for(settings: E2eSettings, around: Surroundings) -> dict[str, Any]:
    """What has to be said of the surroundings, and the few values that are not the chart's defaults."""
    env = {
        "S3_ENDPOINT_URL": around.s3_endpoint_url,
        "S3_BUCKET": around.bucket,
        # A broker that forgets is made up for sooner than in five minutes.
        "SWEEP_PATIENCE_SECONDS": "30",
    }
    env |= {"MEILISEARCH_URL": around.meilisearch_url} if around.meilisearch_url else {"ENABLE_SEARCH": "false"}
    env |= {"CONVERTER": "gotenberg", "GOTENBERG_URL": settings.gotenberg_url} if settings.gotenberg_url else {}
    return {
        "image": {"repository": settings.image_repository, "tag": settings.image_tag},
        "env": env,
        "secrets": {
            "DATABASE_URL": around.database_url,
            "SESSION_SECRET": secrets.token_hex(32),
            "AWS_ACCESS_KEY_ID": around.access_key_id,
            "AWS_SECRET_ACCESS_KEY": around.secret_access_key,
            "S3_WEBHOOK_TOKEN": WEBHOOK_TOKEN,
        }
        | ({"MEILISEARCH_API_KEY": around.meilisearch_api_key} if around.meilisearch_api_key else {}),
        "notifications": {"enabled": around.notifies, "server": "minio"},
        "functions": {name: small_and_fleeting() for name in FUNCTIONS},
        "web": {"resources": {"requests": {"cpu": "10m"}}},
        "sweep": {"schedule": "* * * * *", "resources": {"requests": {"cpu": "10m"}}},
    }


def small_and_fleeting() -> dict[str, Any]:
    """A node of two cores holds all functions, and they go after seconds instead of minutes."""
    return {
        "resources": {"requests": {"cpu": "10m"}},
        "retention": "0s",
        "annotations": {"autoscaling.knative.dev/window": "10s"},
    }


def overrides(values: dict[str, Any]) -> str:
    """The values that are not the chart's defaults, without secrets, for people."""
    return yaml.safe_dump({name: value for name, value in values.items() if name != "secrets"}, sort_keys=False)


@dataclass
class Release:
    """One release. `values` are those of the last install or upgrade."""

    here: Namespace
    values: dict[str, Any]
    seconds: float = 1.0
    extra: dict[str, Any] = field(default_factory=dict)

    def install(self) -> None:
        """Install, and wait until everything is ready."""
        self._helm("install", NAME, str(CHART), "--values", "-", "--wait", f"--timeout={self._limit(600)}s")
        self.wait()

    def upgrade(self, **extra: Any) -> None:
        """Upgrade with values on top, and wait until everything is ready."""
        self.extra = extra
        self._helm("upgrade", NAME, str(CHART), "--values", "-", "--wait", f"--timeout={self._limit(600)}s")
        self.wait()

    def uninstall(self) -> None:
        """Remove it, and wait until its pods are gone."""
        self._helm("uninstall", NAME, "--wait", f"--timeout={self._limit(300)}s")

    def test(self) -> str:
        """What `helm test` says."""
        return self._helm("test", NAME, f"--timeout={self._limit(180)}s")

    def wait(self) -> None:
        """Helm does not wait for Knative's resources: this does."""
        for kind in ("broker", "trigger", "services.serving.knative.dev"):
            self.here.wait("condition=Ready", kind, "--all", seconds=self._limit(300))

    def pods(self, component: str) -> list[dict[str, Any]]:
        """The living pods of one unit."""
        return self.here.pods(f"{COMPONENT}={component}")

    def names(self, component: str) -> list[str]:
        """Their names."""
        return [pod["metadata"]["name"] for pod in self.pods(component)]

    def address(self, function: str) -> str:
        """Where a function is reached inside the cluster."""
        return f"http://{NAME}-{function}.{self.here.name}.svc.cluster.local"

    def _limit(self, seconds: float) -> int:
        return int(seconds * self.seconds)

    def _helm(self, *arguments: str) -> str:
        given = yaml.safe_dump(_merged(self.values, self.extra)) if "--values" in arguments else None
        return run("helm", "--namespace", self.here.name, *arguments, given=given, seconds=self._limit(900))


def _merged(values: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    both = {**values, **more}
    for name in values.keys() & more.keys():
        if isinstance(values[name], dict) and isinstance(more[name], dict):
            both[name] = _merged(values[name], more[name])
    return both
