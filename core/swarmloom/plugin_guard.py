"""The guard around every hook implementation of a plugin, and the checks before it is let in."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import SimpleNamespace
from typing import Any, NamedTuple

import pluggy

from swarmloom.errors import PluginError
from swarmloom.markers import hookimpl

__all__ = ["Attributed", "HookFunction", "Validator", "guarded", "hook_functions"]

Validator = Callable[[Any, Mapping[str, Any]], None]

_PREFIX = "swarmloom_"


class Attributed(NamedTuple):
    """A hook's result and who gave it.

    Attributes
    ----------
    plugin : str
        Name of the protocol, or of the plugin for what is no protocol.
    value : object
        What the implementation returned; never None.
    """

    plugin: str
    value: Any


@dataclass(frozen=True, slots=True)
class HookFunction:
    """One checked hook implementation.

    Attributes
    ----------
    hook : str
        Name of the hook.
    function : callable
        The author's function, bound.
    arguments : tuple of str
        Those of the hook's arguments that it takes, in its own order.
    whole : bool
        Whether it takes exactly the hook's arguments, in the hook's order.
    first, last : bool
        Pluggy's ``tryfirst`` and ``trylast``.
    """

    hook: str
    function: Callable[..., Any]
    arguments: tuple[str, ...]
    whole: bool
    first: bool
    last: bool

    def __call__(self, **arguments: Any) -> Any:
        """Call the author's function with those of the hook's arguments that it takes."""
        return self.function(**{name: arguments[name] for name in self.arguments})


def hook_functions(manager: pluggy.PluginManager, plugin: object) -> tuple[HookFunction, ...]:
    """Find and check the hook implementations of a module or object.

    Parameters
    ----------
    manager : pluggy.PluginManager
        Knows the hooks.
    plugin : object
        A module, or an object whose methods are implementations.

    Raises
    ------
    PluginError
        If one implements an unknown hook, is a wrapper, or takes arguments that the hook does not
        have or that are keyword-only.
    """
    found = []
    for attribute in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, attribute)
        if options is not None:
            hook = options.get("specname") or attribute
            _check_hook(manager, hook, options)
            found.append(_hook_function(manager, hook, getattr(plugin, attribute), options))
        elif hasattr(manager.hook, attribute) and attribute.startswith(_PREFIX):
            raise PluginError(f"{attribute} is not marked; put @hookimpl above it")
    return tuple(found)


def _hook_function(
    manager: pluggy.PluginManager,
    hook: str,
    function: Callable[..., Any],
    options: Mapping[str, Any],
) -> HookFunction:
    given = _spec(manager, hook).argnames
    parameters = tuple(inspect.signature(function).parameters)
    arguments = _arguments(function, hook, given)
    return HookFunction(
        hook=hook,
        function=function,
        arguments=arguments,
        whole=parameters == given,
        first=bool(options.get("tryfirst")),
        last=bool(options.get("trylast")),
    )


def guarded(
    manager: pluggy.PluginManager,
    name: str,
    found: tuple[HookFunction, ...],
    validators: Mapping[str, Validator],
    failed: Callable[[str, Exception], None],
) -> object:
    """Make the object that is registered with pluggy in the plugin's stead.

    Parameters
    ----------
    manager : pluggy.PluginManager
        Knows the hooks.
    name : str
        To whom results are attributed.
    found : tuple of HookFunction
        The implementations.
    validators : mapping of str to callable
        The check of each hook's result; looked up at each call.
    failed : callable
        ``failed(hook, error)`` hears of every exception, those of the validators included. If it
        returns, the call counts as no opinion.
    """
    proxy = SimpleNamespace()
    for one in found:
        spec = _spec(manager, one.hook)
        guard = _guard(name, one, spec.argnames, validators, failed)
        # Pluggy reads the argument names through `__wrapped__`: those of the hook, all of them,
        # so that validators see the whole call.
        guard = functools.wraps(spec.function)(guard)
        setattr(proxy, one.hook, hookimpl(guard, tryfirst=one.first, trylast=one.last))
    return proxy


def _guard(
    name: str,
    one: HookFunction,
    spec_arguments: tuple[str, ...],
    validators: Mapping[str, Validator],
    failed: Callable[[str, Exception], None],
) -> Callable[..., Attributed | None]:
    hook = one.hook
    function = one.function if one.whole else _by_name(one, spec_arguments)

    def guard(*arguments: Any) -> Attributed | None:
        try:
            value = function(*arguments)
            if value is None:
                return None
            if hook in validators:
                validators[hook](value, dict(zip(spec_arguments, arguments, strict=True)))
        except Exception as error:
            failed(hook, error)
            return None
        return Attributed(name, value)

    return guard


def _by_name(one: HookFunction, given: tuple[str, ...]) -> Callable[..., Any]:
    """Let an implementation that leaves out arguments be called with all of them."""
    places = [(name, given.index(name)) for name in one.arguments]
    function = one.function
    return lambda *arguments: function(**{name: arguments[place] for name, place in places})


def _spec(manager: pluggy.PluginManager, hook: str) -> Any:
    return getattr(manager.hook, hook).spec


def _check_hook(manager: pluggy.PluginManager, hook: str, options: Mapping[str, Any]) -> None:
    known = [name for name in vars(manager.hook) if name.startswith(_PREFIX)]
    if hook not in known:
        near = get_close_matches(hook, known, n=1)
        raise PluginError(
            f"there is no hook {hook!r}" + (f"; did you mean {near[0]!r}?" if near else "")
        )
    if options.get("wrapper") or options.get("hookwrapper"):
        raise PluginError(f"{hook} is a wrapper; plugins may not wrap the results of others")


def _arguments(
    function: Callable[..., Any], hook: str, allowed: tuple[str, ...]
) -> tuple[str, ...]:
    taken = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
            raise PluginError(
                f"{hook}: parameter {parameter} is {parameter.kind.description}; a hook takes "
                "plain parameters alone (nothing after `*`, nothing before `/`)"
            )
        if parameter.name in allowed:
            taken.append(parameter.name)
        elif parameter.default is inspect.Parameter.empty:
            near = get_close_matches(parameter.name, allowed, n=1)
            raise PluginError(
                f"{hook} has no argument {parameter.name!r}; it has: {', '.join(allowed) or 'none'}"
                + (f" (did you mean {near[0]!r}?)" if near else "")
            )
    return tuple(taken)
