"""The built-in extractor: needs no network, no key and no model of the world."""

from functions.enrich.core import metadata_of
from functions.enrich.evidence import verified
from functions.enrich.extractor import Extraction, Hints
from shared.documents import DocumentText

RULES_VERSION = "1"
"""Raise with every change of the rules that changes what they find."""


class RuleMetadataExtractor:
    """A `MetadataExtractor` by rules over text and layout."""

    def extract(self, text: DocumentText, hints: Hints) -> Extraction:
        """The metadata that the rules find in `text`, checked against it."""
        return Extraction(verified(metadata_of(text, hints), text), extractor="rules")

    def version(self) -> str:
        """The version of the rules."""
        return f"rules-{RULES_VERSION}"
