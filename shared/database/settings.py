"""Where the database is: the variable, and its default beside the objects."""

from pathlib import Path

from pydantic import Field, SecretStr
from sqlalchemy import Engine

from shared.database.engine import open_database
from shared.settings import Settings


class DatabaseSettings(Settings):
    """SQLite in the data directory unless a PostgreSQL is named."""

    data_dir: Path = Field(Path("data"), description="Directory of the objects, the database and the search index.")
    database_url: SecretStr | None = Field(
        None, description="`postgresql://…` or `sqlite:///…`. Default: SQLite, `docuelevate.db` in `DATA_DIR`."
    )
    database_pool_size: int = Field(
        4,
        ge=1,
        description="Connections that one process keeps open to PostgreSQL; at most twice as many for a moment.",
    )

    @property
    def url(self) -> str:
        """The address, the default included."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir.absolute() / 'docuelevate.db'}"


def database(settings: DatabaseSettings) -> Engine:
    """The engine that the settings name; connects when first used."""
    return open_database(settings.url, pool_size=settings.database_pool_size)
