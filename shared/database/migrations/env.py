"""What Alembic runs: on the connection that `shared.database.schema` hands over, else on the database of DATABASE_URL.

The second is for `alembic upgrade head` typed by a person or a Job.
"""

from alembic import context
from sqlalchemy import Connection

from shared.database.schema import one_at_a_time
from shared.database.settings import DatabaseSettings, database
from shared.database.tables import Table
from shared.logs import configure_logging


def run_on(connection: Connection) -> None:
    """Do what was asked for, on this connection."""
    context.configure(connection=connection, target_metadata=Table.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run_on(given)
else:
    configure_logging("alembic")
    with database(DatabaseSettings()).connect() as opened, one_at_a_time(opened):
        run_on(opened)
