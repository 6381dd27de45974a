"""The house rules that a linter cannot be silenced on, each a function over one syntax tree.

A rule yields complaints: the line, and why it matters. It knows nothing of where
a file lies; which files a rule is for is decided in `test_tidy_source.py`, and
`test_tidy_rules.py` shows that each rule can complain.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, TypeGuard

FILE_LINES: Final = 400
FUNCTION_LINES: Final = 60
PARAMETERS: Final = 6

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Complaint(NamedTuple):
    """What is wrong in which line. `place` is the name of the function around it, if any."""

    line: int
    why: str
    place: str = ""

    def __str__(self) -> str:
        return f"line {self.line}: {self.why}"


UNFINISHED: Final = re.compile(
    r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError"
    r"|(?i:\bfor now\b|\bplaceholder\b|\bnot implemented\b|\bcoming soon\b)"
)
MACHINE_PATHS: Final = re.compile(r"(?<![\w.~}])/(?:work|root|tmp|home)\b")

BANNED_CALLS: Final = {
    "eval": "runs text as code",
    "exec": "runs text as code",
    "os.system": "hands text to a shell",
    "os.popen": "hands text to a shell",
    "asyncio.run_coroutine_threadsafe": "tasks belong to a TaskGroup that somebody owns",
}
BANNED_IMPORTS: Final = {
    "pickle": "runs code from data",
    "marshal": "runs code from data",
    "shelve": "runs code from data",
    "subprocess": "no feature starts programs",
    "requests": "blocks the event loop",
}


def functions(tree: ast.Module) -> Iterator[Function]:
    """Yield every function and method, however deep."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node


def dotted(node: ast.AST) -> str:
    """Return `a.b.c` for a chain of names and attributes, and an empty string for others."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (owner := dotted(node.value)):
        return f"{owner}.{node.attr}"
    return ""


def long_file(path: Path) -> Iterator[Complaint]:
    """Complain of a file that nobody reads in one sitting."""
    lines = path.read_text().count("\n")
    if lines > FILE_LINES:
        yield Complaint(lines, f"{lines} lines, where {FILE_LINES} are enough: it is two modules")


def no_docstring(tree: ast.Module) -> Iterator[Complaint]:
    """Complain of a module that does not say what it is."""
    if not ast.get_docstring(tree):
        yield Complaint(1, "the module does not open by saying what it is")


def long_functions(tree: ast.Module) -> Iterator[Complaint]:
    """Complain of functions that do not fit on a screen."""
    for node in functions(tree):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > FUNCTION_LINES:
            yield Complaint(node.lineno, f"{node.name} has {length} lines: not one screen")


def many_parameters(tree: ast.Module) -> Iterator[Complaint]:
    """Complain of functions that want more than a reader can hold; `self` is free."""
    for node in functions(tree):
        names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        wanted = [name for name in names if name not in {"self", "cls"}]
        if len(wanted) > PARAMETERS:
            yield Complaint(node.lineno, f"{node.name} wants {len(wanted)}: a value is missing")


def hidden_imports(tree: ast.Module) -> Iterator[Complaint]:
    """Complain of imports inside functions: they usually hide a cycle."""
    for function in functions(tree):
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield Complaint(node.lineno, f"{function.name} hides an import, and so a cycle")


def broad_excepts(tree: ast.Module) -> Iterator[Complaint]:
    """Complain of handlers that swallow everything; one that ends in `raise` may clean up."""
    for owner in (tree, *functions(tree)):
        for node in _own_nodes(owner):
            if isinstance(node, ast.ExceptHandler) and _is_broad(node) and not _reraises(node):
                place = "" if isinstance(owner, ast.Module) else owner.name
                yield Complaint(node.lineno, "catches everything, bugs included", place)


def banned_calls(tree: ast.Module) -> Iterator[Complaint]:
    """Complain of calls and imports that run what came from outside."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _banned_call(node)
        if isinstance(node, ast.Import | ast.ImportFrom):
            for module in _modules(node):
                if reason := BANNED_IMPORTS.get(module.partition(".")[0]):
                    yield Complaint(node.lineno, f"imports {module}: {reason}")


def environment(tree: ast.Module) -> Iterator[Complaint]:
    """Complain of settings read behind the configuration's back."""
    why = "reads the environment, which config alone decodes, once"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and dotted(node) in {"os.environ", "os.getenv"}:
            yield Complaint(node.lineno, why)
        if _takes(node, "os", {"environ", "getenv"}):
            yield Complaint(node.lineno, why)


def shared_state(tree: ast.Module) -> Iterator[Complaint]:
    """Complain of state that belongs to a module, and so to nobody."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield Complaint(node.lineno, "changes a global, which belongs to nobody")
    for statement in tree.body:
        for target, value in _bindings(statement):
            if not target.strip("_").isupper() and target != "__all__" and _is_mutable(value):
                yield Complaint(statement.lineno, f"{target} is mutable and lives in a module")


def text_matches(text: str, pattern: re.Pattern[str], why: str) -> Iterator[Complaint]:
    """Complain of every line in which a pattern is found."""
    for number, line in enumerate(text.splitlines(), start=1):
        if found := pattern.search(line):
            yield Complaint(number, f"{found.group()!r}: {why}")


def _takes(node: ast.AST, module: str, names: set[str]) -> TypeGuard[ast.ImportFrom]:
    """Tell whether `node` is `from module import` any of `names`."""
    if not isinstance(node, ast.ImportFrom) or node.module != module:
        return False
    return not names.isdisjoint(alias.name for alias in node.names)


def _own_nodes(owner: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes below `owner` that no function below it owns."""
    for child in ast.iter_child_nodes(owner):
        if not isinstance(child, Function):
            yield child
            yield from _own_nodes(child)


def _is_broad(handler: ast.ExceptHandler) -> bool:
    caught = handler.type
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught] if caught else []
    return caught is None or any(dotted(k) in {"Exception", "BaseException"} for k in kinds)


def _reraises(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def _banned_call(node: ast.Call) -> Iterator[Complaint]:
    name = dotted(node.func)
    if reason := BANNED_CALLS.get(name):
        yield Complaint(node.lineno, f"{name}: {reason}")
    loaders = [*node.args[1:], *(keyword.value for keyword in node.keywords)]
    safe = any(dotted(loader).endswith("SafeLoader") for loader in loaders)
    if name in {"yaml.load", "yaml.load_all"} and not safe:
        yield Complaint(node.lineno, f"{name} without a safe loader builds any object it is told")
    if name in {"yaml.unsafe_load", "yaml.full_load"}:
        yield Complaint(node.lineno, f"{name} builds any object it is told")


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names]


def _bindings(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield dotted(target), statement.value
    if isinstance(statement, ast.AnnAssign) and statement.value:
        yield dotted(statement.target), statement.value


def _is_mutable(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return dotted(value.func) in {"list", "dict", "set", "bytearray", "defaultdict", "deque"}
    return isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp)
