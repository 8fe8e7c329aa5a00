"""Archives every event and projects the current run of a document into its row. The one writer of pipeline state."""
