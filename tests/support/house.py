"""The rules of the house that no linter knows, as functions from source text to the faults found in it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAY_IMPORT = {
    "base": set[str](),
    "eventlog": {"base"},
    "collector": {"base", "eventlog"},
    "forwarder": {"base", "eventlog"},
    "ochn": {"base", "eventlog", "collector", "forwarder"},
}
AROUND = {"tests", "loadtests", "scripts"}  # may import every package, and no package imports them
OURS = MAY_IMPORT.keys() | AROUND
FILE_LINES, FUNCTION_LINES = 300, 40
FOREIGN_NAMES = {
    "a package registry's host": r"\b(pypi|pythonhosted|npmjs|registry-1\.docker|docker|ghcr|crates|maven\.apache|"
    r"maven|deb\.debian|proxy\.golang|jsdelivr|unpkg)\.(org|io|com|net)\b",
    "a path of one machine": r"(?<![\w.])/(work|root|home/\w+|Users/\w+|tmp/\w+)/",
}


def python_files() -> list[Path]:
    return [path for folder in sorted(OURS) for path in sorted((ROOT / folder).rglob("*.py"))]


def modules(package: str) -> dict[str, str]:
    """Source by dotted name."""
    paths = sorted((ROOT / package).rglob("*.py"))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path.read_text() for path in paths}


def wrong_imports(module: str, source: str) -> list[str]:
    """Imports of ours that point against the one direction: base <- eventlog <- collector, forwarder <- ochn."""
    package = module.partition(".")[0]
    allowed = MAY_IMPORT[package] | {package}
    tops = ((line, name.partition(".")[0]) for line, name in imports(module, source))
    return [f"{module}:{line} imports {top}" for line, top in tops if top in OURS - allowed]


def imports(module: str, source: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything a module imports, wherever in it and also by name at run time."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=name, level=level):
                base = module.split(".")[:-level] if level else []
                yield node.lineno, ".".join([*base, name or ""])
            case ast.Call(
                func=ast.Name(id=called) | ast.Attribute(attr=called), args=[ast.Constant(value=str(name)), *_]
            ):
                if called in {"import_module", "__import__", "run_module"}:
                    yield node.lineno, name


def too_long(name: str, source: str) -> list[str]:
    """A file over 300 lines, functions over 40."""
    lines = len(source.splitlines())
    faults = [f"{name} has {lines} lines"] if lines > FILE_LINES else []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                faults.append(f"{name}:{node.lineno} {node.name} has {length} lines")
    return faults


def foreign_names(name: str, text: str) -> list[str]:
    """What may not be named in a file that others will read on machines of their own."""
    found = ((what, match) for what, pattern in FOREIGN_NAMES.items() for match in re.finditer(pattern, text))
    return [f"{name} names {what}: {match[0]}" for what, match in found]
