"""How long code may be. Only lines with code count: no blank lines, no comments, no docstrings."""

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

FILE_LINES_MAX = 400
TEST_FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 60
PUBLIC_METHODS_MAX = 12

CHECKED = ("tidegate", "benchmarks", "tests")  # migrations are written once and never read in one go
GENERATED: tuple[str, ...] = ()  # paths from the top of the repository

_NOT_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


def too_long(root: Path) -> list[str]:
    """One sentence for each file, function or class under `root` that breaks a limit: file, line, limit."""
    found: list[str] = []
    for folder in CHECKED:
        for path in sorted((root / folder).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if name not in GENERATED:
                found += _breaches(path.read_text(encoding="utf-8"), name, is_test=folder == "tests")
    return found


def _breaches(source: str, name: str, *, is_test: bool) -> Iterator[str]:
    tree = ast.parse(source, name)
    code = _code_lines(source, tree)
    lines_max = TEST_FILE_LINES_MAX if is_test else FILE_LINES_MAX
    if len(code) > lines_max:
        yield f"{name}:1: the file has {len(code)} lines of code, at most {lines_max} are allowed"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = len(code & set(range(node.lineno, _end(node) + 1)))
            if length > FUNCTION_LINES_MAX:
                yield (
                    f"{name}:{node.lineno}: {node.name}() has {length} lines of code,"
                    f" at most {FUNCTION_LINES_MAX} are allowed"
                )
        elif isinstance(node, ast.ClassDef) and not is_test:
            methods = _public_methods(node)
            if len(methods) > PUBLIC_METHODS_MAX:
                yield (
                    f"{name}:{node.lineno}: class {node.name} has {len(methods)} public methods,"
                    f" at most {PUBLIC_METHODS_MAX} are allowed"
                )


def _code_lines(source: str, tree: ast.Module) -> set[int]:
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NOT_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    return lines - _docstring_lines(tree)


def _docstring_lines(tree: ast.Module) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            match node.body[0]:
                case ast.Expr(value=ast.Constant(value=str())) as docstring:
                    lines.update(range(docstring.lineno, _end(docstring) + 1))
    return lines


def _public_methods(node: ast.ClassDef) -> set[str]:
    functions = (member for member in node.body if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef))
    return {function.name for function in functions if not function.name.startswith("_")}


def _end(node: ast.stmt) -> int:
    assert node.end_lineno is not None
    return node.end_lineno
