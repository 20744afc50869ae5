"""The only part that knows all: settings, wiring, engine, roles, API, command line.

Everything else receives what it needs from here and never reaches back.
"""
