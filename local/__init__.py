"""Everything on one machine: embedded broker, process supervisor, watched folder, command line."""
