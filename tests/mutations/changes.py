"""All changes of one token that can be made to a Python file, leaving out what computes nothing."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

OPERATORS: dict[type, list[type]] = {
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div],
    ast.Div: [ast.Mult],
    ast.FloorDiv: [ast.Div, ast.Mult],
    ast.Mod: [ast.FloorDiv],
    ast.Pow: [ast.Mult],
    ast.BitAnd: [ast.BitOr],
    ast.BitOr: [ast.BitAnd],
    ast.Lt: [ast.LtE, ast.GtE],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.LtE],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
    ast.And: [ast.Or],
    ast.Or: [ast.And],
}
PAIRS = [("min", "max"), ("sum", "mean"), ("amin", "amax"), ("any", "all"), ("no_grad", "enable_grad")]
PAIRS += [("argmin", "argmax"), ("floor", "ceil"), ("zeros", "ones"), ("rand", "randn")]
NAMES = dict(PAIRS) | {b: a for a, b in PAIRS}
LEFT_OUT = {"detach", "square", "exp", "log", "log10", "sqrt", "abs", "round", "relu", "sigmoid", "clamp", "clamp_min"}
LEFT_OUT |= {"mean", "float", "double", "eval", "clone", "sort"}
CHECKS = {"unknown", "warn_of_critic", "warning", "info", "debug"}
SKIPPED = (ast.Raise, ast.Assert, ast.Import, ast.ImportFrom, ast.JoinedStr, ast.arg, ast.match_case)


class Change(NamedTuple):
    """Bytes of a file to be replaced, and the lines of the function or class, or of the file, around them."""

    path: Path
    line: int
    start: int
    end: int
    text: str
    scope: tuple[int, int]
    in_function: bool

    def source(self) -> bytes:
        """The file as it is after the change."""
        before = self.path.read_bytes()
        return before[: self.start] + self.text.encode() + before[self.end :]


def changes(path: Path) -> list[Change]:
    """All changes of one file, in its order."""
    source = path.read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node, new, scope, in_function in _walk(ast.parse(source), (1, len(starts)), False):
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        text = ast.unparse(new) if isinstance(new, ast.stmt) else f"({ast.unparse(new)})"
        found.append(Change(path, node.lineno, start, end, text, scope, in_function))
    return found


def _walk(node: Any, scope: tuple[int, int], in_function: bool) -> Iterator[tuple[Any, ast.AST, tuple[int, int], bool]]:
    if isinstance(node, SKIPPED) or _checks(node):
        return
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        scope = (min([node.lineno, *(d.lineno for d in node.decorator_list)]), node.end_lineno or node.lineno)
        in_function = isinstance(node, ast.FunctionDef)
    for target, new in _variants(node):
        yield target, new, scope, in_function
    for name, value in ast.iter_fields(node):
        if name not in ("annotation", "returns"):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from _walk(child, scope, in_function)


def _checks(node: Any) -> bool:
    """Whether all that a node does is to look at what is given, or to write to the log."""
    if isinstance(node, ast.If) and not node.orelse:
        return all(isinstance(part, ast.Raise) or _checks(part) for part in node.body)
    if isinstance(node, ast.keyword):
        return node.arg == "strict"  # of zip
    call = node.value if isinstance(node, ast.Expr) else node
    if isinstance(call, ast.Call):
        return getattr(call.func, "id", getattr(call.func, "attr", "")) in CHECKS
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)  # docstrings


def _variants(node: Any) -> Iterator[tuple[Any, ast.AST]]:
    """Pairs of a node and what takes its place."""
    match node:
        case ast.Constant(value=bool()):
            yield node, ast.Constant(not node.value)
        case ast.Constant(value=int() | float() as value):
            numbers = {0: [1, -1], 1: [0, 2]}.get(value, [value + 1, -value])  # type: ignore[call-overload]
            yield from ((node, ast.Constant(number)) for number in numbers)
        case ast.BinOp():
            yield from ((node, ast.BinOp(node.left, op(), node.right)) for op in OPERATORS.get(type(node.op), []))
            yield from ((node, part) for part in (node.left, node.right))
        case ast.Compare(ops=[op]):
            yield from ((node, ast.Compare(node.left, [new()], node.comparators)) for new in OPERATORS[type(op)])
        case ast.BoolOp():
            yield node, ast.BoolOp(OPERATORS[type(node.op)][0](), node.values)
            yield from ((node, part) for part in node.values)
        case ast.UnaryOp():
            yield node, node.operand
        case ast.IfExp():
            yield from ((node, part) for part in (node.body, node.orelse))
        case ast.If() | ast.While():
            yield node.test, ast.UnaryOp(ast.Not(), node.test)
        case ast.AugAssign():
            yield from ((node, ast.AugAssign(node.target, op(), node.value)) for op in OPERATORS[type(node.op)])
            yield node, ast.Assign([node.target], node.value, lineno=node.lineno)
        case ast.Expr(value=ast.Call()) if "super()" not in ast.unparse(node):
            yield node, ast.Pass()
        case ast.Call():
            yield from ((node, call) for call in _calls(node))


def _calls(node: ast.Call) -> Iterator[ast.expr]:
    """A call with two arguments exchanged, without one of its keywords, of the opposite function, or left out."""
    first = [arg for arg in node.args[:2] if not isinstance(arg, ast.Starred)]
    if len(first) == 2:
        yield ast.Call(node.func, [*first[::-1], *node.args[2:]], node.keywords)
    for keyword in node.keywords:
        if keyword.arg and not _checks(keyword):
            yield ast.Call(node.func, node.args, [other for other in node.keywords if other is not keyword])
    match node.func:
        case ast.Name(id) if id in NAMES:
            yield ast.Call(ast.Name(NAMES[id]), node.args, node.keywords)
        case ast.Attribute(value, attr):
            if attr in NAMES:
                yield ast.Call(ast.Attribute(value, NAMES[attr]), node.args, node.keywords)
            if (attr in LEFT_OUT and not isinstance(value, ast.Name)) or attr == "detach":
                yield value
