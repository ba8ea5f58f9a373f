"""Finds the classes in a folder's files: a new cost or solver is one file, named nowhere else."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def kinds_in(package: str, folders: Iterable[str], base: type[T]) -> list[type[T]]:
    """The public subclasses of ``base`` with a ``name``, of all modules in a package, in the modules' order."""
    found = []
    for entry in pkgutil.iter_modules(folders):
        module = importlib.import_module(f"{package}.{entry.name}")
        found += [
            kind
            for kind in vars(module).values()
            if isinstance(kind, type) and issubclass(kind, base) and kind.__module__ == module.__name__
            if hasattr(kind, "name") and not kind.__name__.startswith("_")
        ]
    return found


def with_parameters_of(*kinds: type) -> Callable[[type[T]], type[T]]:
    """Decorates a class before ``dataclass``: adds all ``parameters`` of the kinds as its last fields."""

    def add(target: type[T]) -> type[T]:
        for name, entry in {name: entry for kind in kinds for name, entry in kind.parameters.items()}.items():
            target.__annotations__[name] = type(entry.default)
            setattr(target, name, entry)
        return target

    return add
