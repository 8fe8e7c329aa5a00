"""The settings of the OCR function that do not concern storage or events; each is one environment variable."""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from functions.ocr.languages import split_codes
from shared.providers import OcrProvider, RecognizerSettings


class OcrSettings(RecognizerSettings):
    """Read once at start; a wrong value stops the process."""

    azure_ai_key: SecretStr | None = Field(None, description="A key of that resource.")
    ocr_languages: str = Field(
        "eng+deu",
        description="Languages of the documents, most usual first, as Tesseract or BCP-47 codes joined by `+`. "
        "A second language costs about a tenth more time. A document's own `language` option comes before them.",
    )
    ocr_batch_pages: int = Field(
        8, ge=1, le=100, description="Pages per batch; documents with more pages to recognize are fanned out."
    )
    ocr_workers: int | None = Field(
        None, ge=1, le=256, description="Processes that recognize pages at the same time; default: one per usable core."
    )
    ocr_max_pages: int = Field(5_000, ge=1, description="Documents with more pages fail with `too_many_pages`.")
    ocr_max_page_pixels: int = Field(
        400_000_000, ge=1_000_000, description="Larger images are not decoded whole; such a page is rendered smaller."
    )
    ocr_page_timeout_seconds: float = Field(
        60.0, gt=0, description="Time for one page; after that it is tried once more in a simpler way, then left out."
    )
    ocr_document_timeout_seconds: float = Field(
        240.0,
        gt=0,
        description="Time for inspecting, for assembling, or for recognizing one batch; pages left are left out.",
    )
    ocr_memory_mebibytes: int = Field(
        1_536, ge=256, description="Memory of each worker process; a page that needs more is left out."
    )
    tessdata_prefix: Path | None = Field(
        None,
        description="Directory of Tesseract's language data; default: where the system has it.",
    )
    ocr_thumbnail_width: int = Field(
        480, ge=64, le=2_000, description="Width of the small picture of page 1, in pixels."
    )

    @field_validator("ocr_languages")
    @classmethod
    def _has_languages(cls, value: str) -> str:
        if not split_codes(value):
            raise ValueError("name at least one language, such as eng+deu")
        return value

    @model_validator(mode="after")
    def _knows_azure(self) -> Self:
        if self.ocr_provider is OcrProvider.AZURE and not self.azure_is_set_up:
            raise ValueError("OCR_PROVIDER=azure needs AZURE_AI_KEY, and AZURE_ENDPOINT or AZURE_REGION")
        return self

    @property
    def azure_is_set_up(self) -> bool:
        """Whether Azure may be used, as the provider or for a document that is to be read by it."""
        return self.azure_ai_key is not None and self.azure_address is not None

    @property
    def packs(self) -> tuple[str, ...]:
        """The configured languages as names of Tesseract's packs."""
        return split_codes(self.ocr_languages)
