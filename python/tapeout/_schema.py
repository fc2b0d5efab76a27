"""The form of a sweep's TOML file as a JSON schema, from the declarations: editors complete and check with it.

Draft 7, which is what the TOML language servers read. `Sweep.from_toml` checks more: names that only `derive` makes
sense of, probabilities in order, what bounds cut off.
"""

from __future__ import annotations

from typing import Any

from tapeout.declarations import KEYS, Variable, declared
from tapeout.distributions import FIELDS, KINDS, defaulted

_NUMBERS = {"type": "array", "items": {"type": "number"}}
_QUANTILES = {
    "type": "object",
    "patternProperties": {r"^p\d+(_\d+)?$": {"type": "number"}},
    "additionalProperties": False,
}


def schema() -> dict[str, Any]:
    """The schema; every variable that can be given is in it with its meaning, unit, bounds and default."""
    given = {name: one for name, one in sorted(declared().items()) if one.role != "summary"}
    values = {name: _value(one) for name, one in given.items()}
    values |= {name: {"type": "string", "description": key.meaning} for name, key in KEYS.items()}
    own = {"type": ["number", "boolean", "string"], "description": "A column of your own, for use in derive."}
    drawn = {
        name: {"$ref": "#/definitions/distribution", "description": value["description"]}
        for name, value in values.items()
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A sweep of tapeout",
        "description": "Scenarios: assumptions × grid × uncertain inputs.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "samples": {"type": "integer", "minimum": 1, "default": 1024, "description": "Rows a grid cell."},
            "seed": {"type": "integer", "minimum": 0, "default": 0, "description": "Same seed, same rows."},
            "design": {
                "enum": ["sobol", "lhs", "random"],
                "default": "sobol",
                "description": "Scrambled Sobol points, a Latin hypercube, or independent rows.",
            },
            "assume": _table("Values for all rows.", values, own),
            "grid": _table(
                "Axes and their values; cells are all combinations.",
                {name: _axis(value) for name, value in values.items()},
                _axis(own),
            ),
            "uncertain": _table(
                "Inputs with a distribution, cut to the bounds of the variable.",
                drawn,
                {"$ref": "#/definitions/distribution"},
            ),
            "correlate": {
                "type": "array",
                "description": "Rank correlations of pairs of uncertain inputs.",
                "items": {
                    "type": "object",
                    "required": ["between", "rho"],
                    "properties": {
                        "between": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2},
                        "rho": {"type": "number", "exclusiveMinimum": -1, "exclusiveMaximum": 1},
                    },
                },
            },
            "derive": _table(
                "Columns made from others before the models run, as expressions.",
                {name: {"type": "string", "description": value["description"]} for name, value in values.items()},
                {"type": "string"},
            ),
        },
        "definitions": {"distribution": _distribution()},
    }


def _table(about: str, properties: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "description": about, "properties": properties, "additionalProperties": other}


def _axis(value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": value, "minItems": 1, "uniqueItems": True}


def _value(variable: Variable) -> dict[str, Any]:
    unit = "" if variable.unit in ("1", "date") else f" [{variable.unit}]"
    found: dict[str, Any] = {"description": f"{variable.meaning}{unit}"}
    match variable.kind:
        case "choice":
            found["enum"] = list(variable.choices)
        case "boolean":
            found["type"] = "boolean"
        case "date":
            found |= {"type": "string", "format": "date"}
        case kind:
            found["type"] = "integer" if kind == "integer" else "number"
            # Infinity is no number of JSON: an open end has no bound.
            ends = {"minimum": variable.low, "maximum": variable.high}
            found |= {end: bound for end, bound in ends.items() if abs(bound) != float("inf")}
            if variable.default is not None and abs(variable.default) != float("inf"):
                found["default"] = variable.default
    return found


def _distribution() -> dict[str, Any]:
    kinds: dict[str, Any] = {
        "choice": {"type": "array", "minItems": 1},
        "weights": _NUMBERS,
        "empirical": _NUMBERS,
        "quantiles": _QUANTILES,
        "smooth": {"type": "boolean"},
    }
    for kind, fields in FIELDS.items():
        by_name = {
            "type": "object",
            "patternProperties": {
                "^(" + "|".join(fields) + ")$": {"type": "number"},
                **_QUANTILES["patternProperties"],  # type: ignore[dict-item]
            },
            "additionalProperties": False,
        }
        listed = {**_NUMBERS, "minItems": len(fields) - defaulted(kind), "maxItems": len(fields)}
        kinds[kind] = {"oneOf": [listed, by_name], "description": ", ".join(fields)}
    kinds["exponential"]["oneOf"].append({"type": "number"})
    return {
        "type": "object",
        "description": "One distribution; other entries, such as its source, are left alone.",
        "properties": kinds,
        "oneOf": [{"required": [kind]} for kind in KINDS],
    }
