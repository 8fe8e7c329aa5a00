"""What Alembic runs to apply revisions: always on the connection that `shared.database.schema` hands over."""

from alembic import context

from shared.database.tables import Table

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Table.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
