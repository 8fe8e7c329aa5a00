"""The settings of the convert function, declared once."""

from typing import Literal

from pydantic import Field, SecretStr

from functions.convert.core import ConversionLimits
from shared.providers import ConverterSettings


class ConvertSettings(ConverterSettings):
    """Limits and providers of conversion."""

    gotenberg_username: str | None = Field(None, description="For a Gotenberg that asks for basic authentication.")
    gotenberg_password: SecretStr | None = Field(None, description="The password that goes with it.")
    gotenberg_pdf_format: Literal["", "PDF/A-1b", "PDF/A-2b", "PDF/A-3b"] = Field(
        "", description="The PDF/A profile that Gotenberg is asked for; empty: none."
    )
    convert_timeout_seconds: float = Field(
        150.0, gt=0, le=500, description="Longest time for one document; then it fails as conversion_timeout."
    )
    convert_max_pages: int = Field(5000, ge=1, description="More pages than this fail as too_many_pages.")
    convert_max_pixels: int = Field(
        200_000_000, ge=1, description="An image with more pixels (all its pages together) fails as decompression_bomb."
    )
    convert_max_unpacked_bytes: int = Field(
        2 * 1024**3, ge=1, description="A packed document that unpacks to more bytes fails as decompression_bomb."
    )
    convert_max_objects: int = Field(2_000_000, ge=1, description="A PDF with more objects fails as too_large.")
    convert_memory_bytes: int = Field(
        2 * 1024**3, ge=256 * 1024**2, description="Memory that each converting process may use."
    )
    libreoffice_program: str = Field(
        "/usr/lib/libreoffice/program/soffice.bin", description="LibreOffice's program file (not its start script)."
    )
    libreoffice_python: str = Field(
        "/usr/bin/python3", description="A Python that can import LibreOffice's uno module."
    )
    libreoffice_max_files: int = Field(
        100, ge=1, description="LibreOffice is restarted after so many files, and after every failure."
    )

    def limits(self) -> ConversionLimits:
        """The limits as the core knows them."""
        return ConversionLimits(
            max_pages=self.convert_max_pages,
            max_pixels=self.convert_max_pixels,
            max_unpacked_bytes=self.convert_max_unpacked_bytes,
            max_objects=self.convert_max_objects,
        )
