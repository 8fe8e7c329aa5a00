"""`docuelevate s3-notifications`: makes a bucket tell the server of dropped files, or says what is missing for that."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from local.terminal import Connection, plain, write_json

if TYPE_CHECKING:
    from local.s3_setup import BucketSetup, Part


@click.command("s3-notifications")
@click.option(
    "--server",
    type=click.Choice(["auto", "minio", "aws", "ceph"]),
    default="auto",
    show_default=True,
    help="Whose way of notifying to use.",
)
@click.option("--hook-url", help="Address of this server as the object store sees it, such as http://docuelevate:8000.")
@click.option("--target", help="AWS: ARN of an SQS queue or SNS topic, or eventbridge. MinIO: ARN of the webhook.")
@click.option("--check", is_flag=True, help="Change nothing; fail if something is missing.")
@click.option("--dry-run", is_flag=True, help="Change nothing; show what would be set.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
def s3_notifications(
    connection: Connection,
    server: str,
    hook_url: str | None,
    target: str | None,
    check: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Set up the bucket that S3_BUCKET names: versions, lifecycle, and a notification for incoming/.

    Works on the object store itself, with S3_ENDPOINT_URL, AWS_ACCESS_KEY_ID and the like, and S3_WEBHOOK_TOKEN. It
    may be run again at any time; rules that others have set on the bucket stay.
    """
    from shared.errors import DocuElevateError

    try:
        setup, advice = _setup(server, hook_url, target, looks_only=check or dry_run)
        parts = list(setup.run())
    except DocuElevateError as error:
        raise click.ClickException(str(error)) from error
    missing = [part for part in parts if part.state == "missing"]
    if as_json or connection.as_json:
        shown = [{"part": part.name, "state": part.state.value, "detail": part.detail} for part in parts]
        write_json({"complete": not missing, "parts": shown, "environment": list(advice)})
    else:
        _show(parts, advice)
    sys.exit(1 if check and missing else 0)


def _setup(
    server: str, hook_url: str | None, target: str | None, *, looks_only: bool
) -> "tuple[BucketSetup, Sequence[str]]":
    import boto3
    from botocore.config import Config
    from pydantic import ValidationError

    from local.s3_setup import BucketSetup, Dialect, SetupFailed, Target, dialect_of, minio_environment
    from shared.storage.s3 import s3_client
    from shared.storage.settings import NotificationSettings, ObjectStoreSettings

    try:
        settings, told = ObjectStoreSettings(), NotificationSettings()
    except ValidationError as error:
        raise SetupFailed(str(error.errors(include_url=False, include_input=False)[0]["msg"])) from error
    client = s3_client(settings)
    token = told.s3_webhook_token.get_secret_value() if told.s3_webhook_token else None
    where = Target(arn=target, url=hook_url, token=token)
    if server == "auto":
        dialect = dialect_of(client, settings.s3_bucket, has_endpoint=settings.s3_endpoint_url is not None)
    else:
        dialect = Dialect(server)
    secret = settings.aws_secret_access_key
    topics = boto3.Session().client(
        "sns",
        endpoint_url=settings.s3_endpoint_url,
        region_name=settings.aws_region,
        aws_access_key_id=settings.aws_access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 3}),
    )
    setup = BucketSetup(client, topics, settings.s3_bucket, dialect, where, dry_run=looks_only)
    return setup, minio_environment(where) if dialect is Dialect.MINIO and hook_url else ()


def _show(parts: "Sequence[Part]", advice: Sequence[str]) -> None:
    colours = {"set": "green", "changed": "green", "missing": "red", "unsupported": "yellow"}
    for part in parts:
        state = click.style(f"{part.state.value:12}", fg=colours[part.state.value])
        click.echo(f"{part.name:14}{state}{plain(part.detail)}")
    if advice:
        click.echo("\nMinIO itself is to be started with:", err=True)
        for line in advice:
            click.echo(line)
