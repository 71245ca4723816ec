"""Schemas by what becomes of them: all of it in the grammar, a part checked afterwards, or refused."""

from __future__ import annotations

from typing import Any

TEXT = {"type": "string"}
NUMBER = {"type": "number"}
WHOLE = {"type": "integer"}
NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
POINT = {"type": "object", "properties": {"x": NUMBER, "y": NUMBER}, "required": ["x", "y"]}
TREE = {"type": "object", "properties": {"v": WHOLE, "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}

STRICT: dict[str, Any] = {
    "types": {"type": ["string", "integer", "boolean", "null"]},
    "boolean": {"type": "boolean"},
    "null": {"type": "null"},
    "anything": {},
    "true": True,
    "described": {"description": "Anything at all."},
    # Constants
    "enum": {"enum": ["a", 1, None, {"b": [2]}]},
    "enum of texts": {**TEXT, "enum": ["red", 'a"b', "", "<|turn>"]},
    "enum narrowed by a type": {**WHOLE, "enum": [1, "a", 2, None]},
    "const": {"const": {"a": [1, "b"]}},
    "const text": {"const": "it's"},
    # Texts
    "text": TEXT,
    "string bounds": {**TEXT, "minLength": 2, "maxLength": 5},
    "no text": {**TEXT, "maxLength": 0},
    "pattern": {**TEXT, "pattern": "^[a-z]+-\\d{3}$"},
    "pattern anywhere": {**TEXT, "pattern": "b+", "maxLength": 5},
    "pattern with a choice": {**TEXT, "pattern": "^(yes|no)$|^x{2}$"},
    "pattern of words": {**TEXT, "pattern": "^\\w+( \\w+){0,2}$", "maxLength": 12},
    "pattern and length": {**TEXT, "pattern": "^[ab]*$", "minLength": 1, "maxLength": 3},
    "format": {**TEXT, "format": "date-time"},
    "date": {**TEXT, "format": "date"},
    "time": {**TEXT, "format": "time"},
    "duration": {**TEXT, "format": "duration"},
    "e-mail": {**TEXT, "format": "email"},
    "host": {**TEXT, "format": "hostname"},
    "address of four bytes": {**TEXT, "format": "ipv4"},
    "address of sixteen bytes": {**TEXT, "format": "ipv6"},
    "uuid": {**TEXT, "format": "uuid"},
    "uri": {**TEXT, "format": "uri"},
    "format and pattern": {**TEXT, "format": "date", "pattern": "^2024"},
    "format and length": {**TEXT, "format": "email", "maxLength": 20},
    # Numbers
    "integer": WHOLE,
    "number": NUMBER,
    "number bounds": {**NUMBER, "minimum": 0, "exclusiveMaximum": 1},
    "from nothing": {**NUMBER, "minimum": 0},
    "more than nothing": {**NUMBER, "exclusiveMinimum": 0},
    "less than nothing": {**NUMBER, "exclusiveMaximum": 0},
    "at most a little": {**NUMBER, "maximum": -1e-5},
    "far bounds": {**NUMBER, "minimum": -1.5, "maximum": 1e20},
    "degrees": {**NUMBER, "minimum": -90, "maximum": 90},
    "one number": {**NUMBER, "minimum": 2.5, "maximum": 2.5},
    "bounds on both sides": {**WHOLE, "exclusiveMinimum": 3, "maximum": 5},
    "fractions as bounds": {**WHOLE, "minimum": 0.5, "maximum": 3.5},
    "large integers": {**WHOLE, "minimum": 10**17},
    "64 bits": {**WHOLE, "minimum": -(2**63), "maximum": 2**63 - 1},
    "multiple": {**WHOLE, "multipleOf": 7},
    "cents": {**NUMBER, "multipleOf": 0.01},
    "quarters": {**NUMBER, "multipleOf": 0.25, "minimum": 0, "maximum": 10},
    "tenths": {**NUMBER, "multipleOf": 0.1, "minimum": 0, "maximum": 1},
    "whole numbers": {**NUMBER, "multipleOf": 1},
    "hours in seconds": {**WHOLE, "multipleOf": 3600, "minimum": 0},
    "number or nothing": {"type": ["number", "null"]},
    "integer or nothing": {"type": ["integer", "null"], "minimum": 0},
    "number or text": {"type": ["number", "string"], "maxLength": 3},
    "bounds without a type": {"minimum": 3, "maxLength": 2},
    "draft 4 bounds": {**WHOLE, "minimum": 3, "exclusiveMinimum": True},
    # Arrays
    "array": {"type": "array"},
    "items": {"type": "array", "items": TEXT, "minItems": 1, "maxItems": 3},
    "no items": {"type": "array", "maxItems": 0},
    "exactly two": {"type": "array", "items": NUMBER, "minItems": 2, "maxItems": 2},
    "prefix items": {"type": "array", "prefixItems": [TEXT, WHOLE], "items": False},
    "prefix items and more": {"type": "array", "prefixItems": [TEXT], "items": WHOLE, "maxItems": 3},
    "arrays of arrays": {"type": "array", "items": {"type": "array", "items": NUMBER, "maxItems": 2}, "maxItems": 2},
    # Objects
    "object": {"type": "object"},
    "point": POINT,
    "optional properties": {"type": "object", "properties": {"b": TEXT, "A": WHOLE, "c d": NUMBER, 'q"': TEXT}},
    "nested objects": {"type": "object", "properties": {"a": {"type": "object", "properties": {"b": TEXT}}}},
    "closed": {"type": "object", "additionalProperties": False},
    "map": {"type": "object", "additionalProperties": WHOLE, "minProperties": 1},
    "map of numbers": {"type": "object", "additionalProperties": NUMBER, "maxProperties": 2},
    "map of maps": {"type": "object", "additionalProperties": {"type": "object", "additionalProperties": TEXT}},
    "map beside properties": {"type": "object", "properties": {"a": TEXT}, "additionalProperties": WHOLE},
    "required, not declared": {"type": "object", "required": ["k"], "additionalProperties": WHOLE},
    "names by pattern": {"type": "object", "patternProperties": {"^x_": TEXT}},
    "only names by pattern": {
        "type": "object",
        "patternProperties": {"^x_[a-z]{1,3}$": TEXT},
        "additionalProperties": False,
    },
    "a property that can't be": {"type": "object", "properties": {"a": False, "b": TEXT}},
    # Combinations
    "union": {"anyOf": [TEXT, {"type": "array", "items": TEXT}]},
    "union of objects": {
        "anyOf": [
            {"type": "object", "properties": {"kind": {"const": "a"}, "n": WHOLE}, "required": ["kind", "n"]},
            {"type": "object", "properties": {"kind": {"const": "b"}, "s": TEXT}, "required": ["kind", "s"]},
        ]
    },
    "union or nothing": {"anyOf": [{**WHOLE, "minimum": 0, "maximum": 9}, {"type": "null"}]},
    "disjoint oneOf": {"oneOf": [TEXT, WHOLE]},
    "allOf": {"allOf": [{**WHOLE, "minimum": 1}, {"maximum": 3}]},
    "allOf of texts": {"allOf": [{**TEXT, "maxLength": 4}, {"minLength": 1}]},
    "allOf of objects": {
        "allOf": [
            {"type": "object", "properties": {"a": TEXT}, "required": ["a"]},
            {"type": "object", "properties": {"b": WHOLE}},
        ]
    },
    "allOf of types": {"allOf": [{"type": ["string", "null"]}, {"type": ["null", "integer"]}]},
    "reference": {"$ref": "#/$defs/point", "$defs": {"point": POINT}},
    "described reference": {"$ref": "#/$defs/point", "description": "A place.", "$defs": {"point": POINT}},
    "two references": {
        "type": "object",
        "properties": {"from": {"$ref": "#/$defs/point"}, "to": {"$ref": "#/$defs/point"}},
        "$defs": {"point": POINT},
    },
    "recursion": {"$ref": "#/$defs/node", "$defs": {"node": NODE}},
    "tree": {"$ref": "#/$defs/tree", "$defs": {"tree": TREE}},
}

RELAXED: dict[str, tuple[Any, list[str]]] = {
    "not": ({**TEXT, "not": {"const": "x"}}, ["/not"]),
    "condition": (
        {"type": "object", "if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}},
        ["/else", "/if", "/then"],
    ),
    "unique items": ({"type": "array", "uniqueItems": True}, ["/uniqueItems"]),
    "contains": ({"type": "array", "contains": TEXT, "minContains": 2}, ["/contains", "/minContains"]),
    "names": ({"type": "object", "propertyNames": {"pattern": "^a"}}, ["/propertyNames"]),
    "dependent required": ({"type": "object", "dependentRequired": {"a": ["b"]}}, ["/dependentRequired"]),
    "dependent schemas": ({"type": "object", "dependentSchemas": {"a": {"required": ["b"]}}}, ["/dependentSchemas"]),
    "unevaluated": ({"type": "object", "unevaluatedProperties": False}, ["/unevaluatedProperties"]),
    "look-ahead": (
        {"type": "object", "properties": {"a/b": {**TEXT, "pattern": "^(?!x)a"}}},
        ["/properties/a~1b/pattern"],
    ),
    "overlapping oneOf": ({"oneOf": [{**TEXT, "minLength": 3}, {**TEXT, "maxLength": 4}]}, ["/oneOf"]),
    "overlapping name patterns": (
        {"type": "object", "patternProperties": {"^a": {}, "b$": WHOLE}, "additionalProperties": False},
        ["/patternProperties"],
    ),
    "counted optional properties": (
        {"type": "object", "properties": {"a": TEXT}, "minProperties": 2},
        ["/minProperties"],
    ),
    "format without a grammar": ({**TEXT, "format": "idn-email"}, ["/format"]),
    "recursion with siblings": (
        {
            "$defs": {"n": {"type": "object", "properties": {"x": {"$ref": "#/$defs/n", "required": ["x"]}}}},
            "$ref": "#/$defs/n",
        },
        ["/$defs/n/properties/x/required"],
    ),
    "huge bound": ({**WHOLE, "minimum": 10**20}, ["/minimum"]),
    "tiny step": ({**NUMBER, "multipleOf": 1e-20}, ["/multipleOf"]),
    "long step": ({**WHOLE, "multipleOf": 86_400}, ["/multipleOf"]),
    "long step without a type": ({"multipleOf": 12.345}, ["/multipleOf"]),
}

REFUSED: dict[str, tuple[Any, str]] = {
    "false": (False, ""),
    "no such type": ({"properties": {"a": {"type": "strin"}}}, "/properties/a/type"),
    "no value fits": ({"type": "object", "properties": {"a": {"enum": []}}, "required": ["a"]}, "/properties/a"),
    "contradiction": ({**TEXT, "minLength": 5, "maxLength": 2}, ""),
    "required but forbidden": ({"type": "object", "required": ["a"], "additionalProperties": False}, ""),
    "dangling reference": ({"properties": {"a": {"$ref": "#/$defs/b"}}}, "/properties/a/$ref"),
    "outside reference": ({"items": {"$ref": "https://example.org/s.json"}}, "/items/$ref"),
    "impossible step": ({**NUMBER, "multipleOf": 0}, "/multipleOf"),
    "broken pattern": ({**TEXT, "pattern": "("}, "/pattern"),
}
