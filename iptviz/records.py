"""Named tuples whose classes are made at little cost.

A question loads hundreds of such classes. `typing.NamedTuple` looks at the type of each field and compiles a
constructor for each class; here classes with equally many fields share the code of theirs. Modules that use this
need `from __future__ import annotations`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple  # noqa: PLC0414 - what a type checker knows
else:
    from collections import namedtuple
    from functools import cache
    from types import CodeType, FunctionType

    _Field = type(namedtuple("_Sample", ("field",)).field)  # noqa: PYI024 - only typing's has types
    """What reads one field of a tuple, in C."""

    class _Record(tuple):
        """What all named tuples can do, as those of the standard library."""

        __slots__ = ()

        @classmethod
        def _make(cls, values: Any) -> Any:
            """Return one with values in the order of the fields."""
            made = tuple.__new__(cls, values)
            if len(made) != len(cls._fields):
                raise TypeError(f"not one value for each of {', '.join(cls._fields)}")
            return made

        def _replace(self, /, **changed: Any) -> Any:
            """Return the same with other values for some fields."""
            made = tuple.__new__(type(self), map(changed.pop, self._fields, self))
            if changed:
                raise ValueError(f"no such field: {', '.join(changed)}")
            return made

        def _asdict(self) -> dict[str, Any]:
            """Return the values by their fields."""
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self) -> str:
            values = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
            return f"{type(self).__name__}({values})"

        def __getnewargs__(self) -> tuple[Any, ...]:
            return tuple(self)

    class _Maker(type):
        """Makes a class of named tuples of a class that lists its fields."""

        def __new__(cls, name: str, bases: tuple[type, ...], content: dict[str, Any]) -> Any:
            if not bases:
                return super().__new__(cls, name, bases, content)
            fields = tuple(content.get("__annotations__", ()))
            defaults = {field: content[field] for field in fields if field in content}
            content |= {field: _Field(place, "") for place, field in enumerate(fields)}
            content |= {
                "__slots__": (),
                "__match_args__": fields,
                "_fields": fields,
                "_field_defaults": defaults,
            }
            content["__new__"] = _constructor(fields, tuple(defaults.values()))
            return type(name, tuple(_Record if base is NamedTuple else base for base in bases), content)

    def _constructor(fields: tuple[str, ...], defaults: tuple[Any, ...]) -> Any:
        """Return the constructor of a class: code for so many fields, with their names put in."""
        code = _constructing(len(fields)).replace(co_varnames=("_cls", *fields))
        return FunctionType(code, {"_new": tuple.__new__}, "__new__", defaults)

    @cache
    def _constructing(count: int) -> CodeType:
        """Return the code of a constructor that takes so many fields, whatever their names."""
        arguments = "".join(f"_{place}, " for place in range(count))
        return eval(f"lambda _cls, {arguments}: _new(_cls, ({arguments}))").__code__  # noqa: S307 - numbers alone

    class NamedTuple(metaclass=_Maker):
        """The base that makes a class one of named tuples."""
