"""Settings that are one of several kinds, told apart by a key; a module that declares another kind adds it."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any, ClassVar, Self

from pydantic import (
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from spillover.declared import Declared
from spillover.discovery import modules_of
from spillover.errors import SpilloverError


class Kind(Declared):
    """Base of a family of kinds: `class Source(Kind, key="source")`, and then `class File(Source, kind="file")`.

    A field of the type `Source` takes any kind of it. A kind is imported with every recipe, so its module imports PyTorch
    inside functions only. Relative paths are resolved against `folder` of the validation's context.

    Attributes:
        key: That tells the kinds of the family apart.
        kind: Its value.
        kinds: Those that are known.
        blank: Values of keys that are written even where they were not given.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    key: ClassVar[str]
    kind: ClassVar[str] = ""
    kinds: ClassVar[dict[str, type[Any]]]
    blank: ClassVar[dict[str, Any]] = {}
    _pins: dict[str, str] = PrivateAttr(default_factory=dict)

    def __init_subclass__(cls, key: str = "", kind: str = "", **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if key:
            cls.key, cls.kinds = key, {}
        if kind:
            known = cls.kinds.get(kind)
            if known is not None and known.__module__ != cls.__module__:
                raise SpilloverError(f"{cls.key} '{kind}' is declared in {known.__module__} already; take another name.")
            cls.kind = kind
            cls.kinds[kind] = cls

    def _digests(self) -> dict[str, str]:
        """Digests of what is named here, taken when it is read and written with the rest."""
        return {}

    @model_validator(mode="after")
    def _pinned(self) -> Self:
        self._pins.update(self._digests())
        return self

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler(source) if cls.kind else core_schema.with_info_plain_validator_function(cls._chosen)

    @classmethod
    def __get_pydantic_json_schema__(cls, source: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """For editors, a family is whatever names one of its kinds."""
        if cls.kind:
            return handler(source)
        load_plugins()
        return {"type": "object", "required": [cls.key], "properties": {cls.key: {"enum": sorted(cls.kinds)}}}

    @classmethod
    def _chosen(cls, raw: Any, info: ValidationInfo) -> Any:
        if isinstance(raw, cls):
            return raw
        load_plugins()
        if not isinstance(raw, dict):
            raise PydanticKnownError("model_type", {"class_name": cls.__name__})
        if cls.key not in raw:
            raise PydanticKnownError("union_tag_not_found", {"discriminator": f"'{cls.key}'"})
        name = str(raw[cls.key])
        if name not in cls.kinds:
            context = {"discriminator": f"'{cls.key}'", "tag": name, "expected_tags": ", ".join(sorted(cls.kinds))}
            raise PydanticKnownError("union_tag_invalid", context)
        rest = {k: v for k, v in raw.items() if k != cls.key}
        try:
            return cls.kinds[name].model_validate_json(json.dumps(rest), context=info.context)
        except SpilloverError as error:
            raise ValueError(str(error)) from error

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What was given and what was pinned, by the file's own keys."""
        given = {f.alias or name for name, f in type(self).model_fields.items() if name in self.model_fields_set}
        return {self.key: self.kind, **self.blank, **{k: v for k, v in handler(self).items() if k in given}, **self._pins}


def load_plugins() -> None:
    """Import what declares kinds: interventions, reinforcement, the lab, and the files in `interventions/` of extensions.

    Raises:
        SpilloverError: for an extension that is not there, or that declares a kind anew.
    """
    modules_of("spillover.training.interventions", "interventions")
    import_module("spillover.training.grpo")
    import_module("spillover.training.documents")
    import_module("spillover.lab.training")
