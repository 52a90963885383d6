"""Base of every section of the policy file: strict, without unknown keys, immutable."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """A mapping of the policy file.

    The docstring below a field is its description in the JSON Schema.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_means_defaults(cls, value: object) -> object:
        """Take null, a section of which every line is commented out, for an empty section."""
        return {} if value is None else value
