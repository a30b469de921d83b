"""A rule without the lines that lead to nothing that is wanted.

The backward of y = x·Wᵀ + b reads x and W, never y. Where only cotangents are wanted, what
leads to y alone is left out of the rule, and what leads to the cotangent of a frozen W alone:
a program slice, taken on its syntax tree.
"""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
import types
from collections.abc import Callable, Collection
from typing import Any

from .lines import handed_to


@functools.lru_cache(maxsize=4096)
def lean(rule: Callable[..., Any], unwanted: frozenset[str] = frozenset()) -> Callable[..., Any]:
    """The rule with its output left None, or the rule itself where it cannot be sliced.

    So are the cotangents of the arguments that are `unwanted`, where they can be left out.
    A rule is sliced that ends in ``return y, backward``, with `backward` defined in it, and
    that closes over nothing itself; where it returns another function's answer, so is that
    one. What might do more than compute a name is kept.
    """
    if not isinstance(rule, types.FunctionType) or rule.__closure__:
        return rule
    try:
        lines, start = inspect.getsourcelines(rule)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):  # typed into a prompt, or made by a program
        return rule
    definition = tree.body[0]
    heirs = _lean_heirs(tree, rule)
    names = list(inspect.signature(rule).parameters)
    places = {names.index(name) for name in unwanted if name in names}
    if not isinstance(definition, ast.FunctionDef) or not (_slice(definition, places) or heirs):
        return rule
    _strip(definition)
    ast.increment_lineno(ast.fix_missing_locations(tree), start - 1)
    scope = rule.__globals__ | heirs if heirs else rule.__globals__
    made: dict[str, Any] = {}
    exec(compile(tree, rule.__code__.co_filename, "exec"), scope, made)
    sliced: types.FunctionType = made[rule.__name__]
    sliced.__defaults__, sliced.__kwdefaults__ = rule.__defaults__, rule.__kwdefaults__
    return sliced


def _lean_heirs(tree: ast.Module, rule: types.FunctionType) -> dict[str, Callable[..., Any]]:
    """The functions whose answers are returned, lean, under names that are put into the tree."""
    heirs = {}
    for node in ast.walk(tree):
        match node:
            case ast.Return(value=ast.Call(func=ast.Name() as called)):
                heir = handed_to(node, rule.__globals__)
                if heir not in (None, rule):
                    called.id = f"_lean_{called.id}"
                    heirs[called.id] = lean(heir)
    return heirs


def _strip(rule: ast.FunctionDef) -> None:
    """Take off what is not evaluated again: decorators and annotations."""
    rule.decorator_list, rule.returns = [], None
    for argument in ast.walk(rule.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None


def _slice(rule: ast.FunctionDef, unwanted: Collection[int]) -> bool:
    """Take out what the backward does not need; False where the rule has another form."""
    *body, last = rule.body
    match last:
        case ast.Return(value=ast.Tuple(elts=[output, ast.Name(id=name)]) as answer):
            pass
        case _:
            return False
    defined = {node.name: node for node in body if isinstance(node, ast.FunctionDef)}
    if name not in defined:
        return False
    _leave_out(defined[name], unwanted)
    answer.elts[0] = ast.copy_location(ast.Constant(None), output)
    rule.body = [*_needed(body, {name}), last]
    return True


def _leave_out(backward: ast.FunctionDef, places: Collection[int]) -> None:
    """Answer None at these places, where the backward has one ``return``, of a plain tuple."""
    *body, last = backward.body
    returns = [node for node in ast.walk(backward) if isinstance(node, ast.Return)]
    match last:
        case ast.Return(value=ast.Tuple(elts=answers)) if returns == [last]:
            if any(isinstance(answer, ast.Starred) for answer in answers):
                return
            for place, answer in enumerate(answers):
                if place in places:
                    answers[place] = ast.copy_location(ast.Constant(None), answer)
            backward.body = [*_needed(body, _read(last)), last]


def _needed(body: list[ast.stmt], names: set[str]) -> list[ast.stmt]:
    """The statements that `names` depend on, which grow by the names those statements read."""
    kept: list[ast.stmt] = []
    for statement in reversed(body):
        if isinstance(statement, ast.If) and _only_binds(statement):
            statement.body = _needed(statement.body, names)
            statement.orelse = _needed(statement.orelse, names)
            if not statement.body and not statement.orelse:
                continue
            statement.body = statement.body or [ast.copy_location(ast.Pass(), statement)]
            names |= _read(statement.test)
        elif _only_binds(statement) and names.isdisjoint(_bound(statement)):
            continue
        else:
            names |= _read(statement)
        kept.insert(0, statement)
    return kept


def _only_binds(statement: ast.stmt) -> bool:
    """Whether the statement gives names to values and does nothing else."""
    match statement:
        case ast.If(body=body, orelse=orelse):
            return all(_only_binds(inner) for inner in (*body, *orelse))
        case ast.Assign(targets=targets):
            plain = all(isinstance(target, (ast.Name, ast.Tuple)) for target in targets)
            return plain and not any(map(_writes, ast.walk(statement)))
        case ast.FunctionDef() | ast.Pass():
            return True
    return False


def _writes(node: ast.AST) -> bool:
    """A store into an element or attribute, a method that works in place, or taking the next."""
    match node:
        case ast.Subscript(ctx=ast.Store()) | ast.Attribute(ctx=ast.Store()) | ast.Name(id="next"):
            return True
        case ast.Attribute(attr=name):
            return name == "pop" or name.endswith("_")
    return False


def _bound(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.FunctionDef):
        return {statement.name}
    nodes = ast.walk(statement)
    return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _read(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
