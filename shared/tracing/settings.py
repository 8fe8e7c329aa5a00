"""Where traces are sent. The names and meanings are OpenTelemetry's own: its SDK reads these, and others besides."""

from pydantic import Field, SecretStr

from shared.settings import Settings


class TracingSettings(Settings):
    """The variables that a deployment passes on."""

    otel_exporter_otlp_endpoint: str | None = Field(
        None,
        description="Where traces are sent by OTLP over HTTP, such as http://collector:4318. Unset: there are none.",
    )
    otel_exporter_otlp_headers: SecretStr | None = Field(
        None, description="Headers for that, such as a key: `name=value`, separated by commas."
    )
    otel_resource_attributes: str | None = Field(
        None, description="What to add to each trace: `deployment.environment=production`, separated by commas."
    )
    otel_traces_sampler: str | None = Field(
        None, description="Which traces are kept, such as `parentbased_traceidratio`. Unset: all."
    )
    otel_traces_sampler_arg: str | None = Field(None, description="The share that this keeps, such as 0.1.")
