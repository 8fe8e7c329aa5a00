"""The functions as child processes: started on demand, stopped when idle, none outliving the runner."""
