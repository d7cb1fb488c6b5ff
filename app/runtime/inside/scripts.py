"""A script: how it becomes a hook, and what can be said about it without running it."""

from __future__ import annotations

import ast
import inspect
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from app.runtime.inside.hook_errors import remember_source

FUNCTION = "hook"


class NoHook(Exception):
    """The script was run and defines no function ``hook``."""


def load_hook(script: str, file: str) -> Callable[..., Any]:
    """Run a script as a module and return its hook; whatever the script raises is passed on."""
    remember_source(file, script)
    module = ModuleType(FUNCTION)
    module.__file__ = file
    sys.modules[FUNCTION] = module
    # Without `dont_inherit` the script would be compiled with the __future__ imports above.
    exec(compile(script, file, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 (the point)
    hook = getattr(module, FUNCTION, None)
    if not callable(hook):
        raise NoHook(f"The script defines no function `{FUNCTION}`.")
    found: Callable[..., Any] = hook
    return found


def is_async(hook: Callable[..., Any]) -> bool:
    """Tell whether calls of the hook may take turns on an event loop."""
    return inspect.iscoroutinefunction(hook)


def check(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Compile ``script`` and compare its hook with ``parameters``; return message and line each."""
    script, parameters, file = request["script"], request["parameters"], request["file"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(script, file)
            compile(script, file, "exec", dont_inherit=True)
    except SyntaxError as error:
        return [_problem(f"The script is not valid Python: {error.msg}.", error.lineno)]
    except (ValueError, RecursionError) as error:
        return [_problem(f"The script cannot be compiled: {error}.", None)]
    return list(_check_hook(tree, parameters))


def _check_hook(tree: ast.Module, parameters: Sequence[str]) -> Iterator[dict[str, Any]]:
    wanted = f"`def {FUNCTION}({', '.join(parameters)})`"
    bindings = [node for node in _in_module_scope(tree) if _binds(node)]
    if not bindings:
        yield _problem(f"The script has no top-level function {wanted}.", None)
        return
    last = bindings[-1]
    if isinstance(last, ast.ClassDef):
        yield _problem(f"`{FUNCTION}` is a class; expected is {wanted}.", last.lineno)
        return
    # What a decorator makes of the parameters is known only when it runs.
    if isinstance(last, ast.FunctionDef | ast.AsyncFunctionDef) and not last.decorator_list:
        complaint = _misfit(last.args, len(parameters))
        if complaint:
            message = f"`{FUNCTION}` is called with {len(parameters)} positional arguments"
            yield _problem(f"{message}, {wanted}, but {complaint}.", last.lineno)


def _in_module_scope(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes whose bindings are the module's, in the order of the text."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(
            child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
        ):
            yield from _in_module_scope(child)


def _binds(node: ast.AST) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name == FUNCTION
    if isinstance(node, ast.Name):
        return node.id == FUNCTION and isinstance(node.ctx, ast.Store)
    if isinstance(node, ast.alias):
        return (node.asname or node.name) in (FUNCTION, "*")
    return False


def _misfit(arguments: ast.arguments, count: int) -> str:
    positional = len(arguments.posonlyargs) + len(arguments.args)
    required = positional - len(arguments.defaults)
    if required > count:
        names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
        return f"it requires {required} ({', '.join(names[:required])})"
    if positional < count and arguments.vararg is None:
        return f"it takes {positional}"
    missing = [
        argument.arg
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is None
    ]
    return f"it requires the keyword {', '.join(missing)}" if missing else ""


def _problem(message: str, line: int | None) -> dict[str, Any]:
    return {"message": message, "line": line}
