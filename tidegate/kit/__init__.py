"""The tool box: clock, ids, database, bus, HTTP, connections, logs, metrics. It knows no trading."""
