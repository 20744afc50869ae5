"""Only tidegate/kit/db ends a transaction; everybody else hands it rows, or runs inside the one it opened."""

import ast
from pathlib import Path

ALLOWED = (
    "tidegate/kit/db/",
    "tidegate/venues/simulator/journal.py",  # the simulated exchange keeps a file of its own, as a real one would
)
RULE = "ends a transaction; only tidegate/kit/db may"
STATEMENTS = ("COMMIT", "COMMIT TRANSACTION", "END", "END TRANSACTION")


def commits_outside_kit_db(root: Path) -> list[str]:
    """One sentence for each place under `root`/tidegate that commits by itself: file, line, what it calls."""
    found: list[str] = []
    for path in sorted((root / "tidegate").rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if name.startswith(ALLOWED):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), name)):
            match node:
                case ast.Call(func=ast.Attribute(attr="commit"), args=[], keywords=[]):  # a driver's, not Store's
                    found.append(f"{name}:{node.lineno}: .commit() {RULE}")
                case ast.withitem(context_expr=ast.Call(func=ast.Attribute(attr="begin")) as call):
                    found.append(f"{name}:{call.lineno}: leaving .begin() {RULE}")
                case ast.Constant(value=str(text)) if text.strip().rstrip(";") in STATEMENTS:
                    found.append(f"{name}:{node.lineno}: {text!r} {RULE}")
    return found
