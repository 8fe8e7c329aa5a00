"""Templates that the rules were not improved on."""

from bench.quality.development import Template

TEMPLATES: dict[str, tuple[Template, str]] = {}
