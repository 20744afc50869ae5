"""The command line: `tidegate VERB`; exit codes are in `speaking.ExitCode`, the verbs in one file a subject.

Start in `program.py`. Nothing heavy is imported before the verb that needs it runs.
"""

from tidegate.app.cli.program import main

__all__ = ["main"]
