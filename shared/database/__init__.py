"""The SQL database: tables, migrations, and the transactions that more than one process makes."""
