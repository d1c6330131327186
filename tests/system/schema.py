"""The published schemas, as validators and as generators of what they accept."""

import json
import math
import re

from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from servers import ROOT

DIRECTORY = ROOT / "schemas"
SCHEMAS = {path.name: json.loads(path.read_text()) for path in sorted(DIRECTORY.glob("*.schema.json"))}


def python_pattern(pattern):
    """ECMA-262's $ is the end and nothing else; Python's also matches before a last newline."""
    return re.sub(r"\$$", r"\\Z", pattern)


def check_pattern(validator, pattern, instance, schema):
    if isinstance(instance, str) and not re.search(python_pattern(pattern), instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def resource(schema):
    """Without $schema, which would make the library go on with its own validator instead of this one."""
    return DRAFT202012.create_resource({key: value for key, value in schema.items() if key != "$schema"})


registry = Registry().with_resources((name, resource(schema)) for name, schema in SCHEMAS.items())
Validator = extend(Draft202012Validator, {"pattern": check_pattern})


def validator(reference):
    """A validator of "reply.schema.json", or of a part of it: "record.schema.json#change"."""
    return Validator({"$ref": reference}, registry=registry, format_checker=FormatChecker(["date"]))


def complaints(reference, instance):
    """What is wrong with an instance, one line each; empty when it is as the schema says."""

    def lines(error, depth=0):
        path = "/".join(map(str, error.absolute_path))
        yield f"{'  ' * depth}/{path}: {error.message:.300}"
        for inner in error.context:
            yield from lines(inner, depth + 1)

    return [line for error in validator(reference).iter_errors(instance) for line in lines(error)]


def inlined(schema, document):
    """The schema without references, which it must not use to recurse."""
    if isinstance(schema, list):
        return [inlined(item, document) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: inlined(value, document) for key, value in schema.items() if key not in ("$ref", "$defs")}
    if "$ref" in schema:
        name, _, pointer = schema["$ref"].partition("#")
        target = SCHEMAS[name or document]
        for step in pointer.split("/")[1:]:
            target = target[step]
        result["allOf"] = result.get("allOf", []) + [inlined(target, name or document)]
    return result


TYPES = {"null": type(None), "boolean": bool, "integer": int, "string": str, "array": list, "object": dict}


def types_of(schema):
    """The types that the schema's own keywords leave."""
    names = schema.get("type", list(TYPES))
    names = set([names] if isinstance(names, str) else names)
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if values is not None:
        names &= {name for name, kind in TYPES.items() for value in values if type(value) is kind}
    return names


def generate(schemas):
    """What satisfies all the schemas; nearly always, the caller filters the rest."""
    for at, schema in enumerate(schemas):
        rest = schemas[:at] + schemas[at + 1 :]
        for key in ("allOf", "anyOf", "oneOf", "if"):
            if key in schema:
                own = {name: value for name, value in schema.items() if name not in (key, "then", "else")}
                return st.one_of(*(generate(rest + [own, *more]) for more in branches(schema, key)))
    types = set.intersection(*map(types_of, schemas))
    if not types:
        return st.nothing()
    return st.one_of(*(MAKERS[name](schemas) for name in sorted(types)))


def branches(schema, key):
    if key == "allOf":
        return [schema[key]]
    if key == "if":
        return [[schema["if"], schema.get("then", {})], [schema.get("else", {})]]
    return [[branch] for branch in schema[key]]


def make_chosen(schemas, kind):
    """The values that an enum or a const leaves, or None where nothing is listed."""
    lists = [[schema["const"]] if "const" in schema else schema["enum"] for schema in schemas if listed(schema)]
    if not lists:
        return None
    values = [value for value in lists[0] if type(value) is kind and all(value in other for other in lists)]
    return st.sampled_from(values) if values else st.nothing()


def listed(schema):
    return "const" in schema or "enum" in schema


def make_integer(schemas):
    low = max((schema["minimum"] for schema in schemas if "minimum" in schema), default=None)
    high = min((schema["maximum"] for schema in schemas if "maximum" in schema), default=None)
    integers = make_chosen(schemas, int)
    if integers is None:
        integers = st.one_of(st.integers(low, high), st.sampled_from([low, high]))
    # A whole float is an integer.
    floats = integers.filter(lambda number: abs(number) < 2**53).map(float)
    return st.one_of(integers, integers, floats)


def make_string(schemas):
    chosen = make_chosen(schemas, str)
    if chosen is not None:
        return chosen
    patterns = [schema["pattern"] for schema in schemas if "pattern" in schema]
    longest = min((schema["maxLength"] for schema in schemas if "maxLength" in schema), default=math.inf)
    if not patterns:
        return st.text(max_size=20)
    texts = st.from_regex(python_pattern(patterns[0])).filter(lambda text: len(text) <= longest)
    if longest is math.inf:
        return texts
    # Up to the limit, which short examples would never reach.
    return st.one_of(texts, texts, texts.map(lambda text: (text * (longest // max(len(text), 1) + 1))[:longest]))


def make_array(schemas):
    items = generate([schema["items"] for schema in schemas if "items" in schema] or [{}])
    shortest = max(schema.get("minItems", 0) for schema in schemas)
    unique = any(schema.get("uniqueItems") for schema in schemas)
    return st.lists(items, min_size=shortest, max_size=shortest + 4, unique=unique)


def make_object(schemas):
    named = {}
    for schema in schemas:
        for name, value in schema.get("properties", {}).items():
            named.setdefault(name, []).append(value)
    required = {name for schema in schemas for name in schema.get("required", [])}
    known = [(name, generate(values)) for name, values in named.items()]
    fixed = st.fixed_dictionaries(
        {name: values for name, values in known if name in required},
        optional={name: values for name, values in known if name not in required and not values.is_empty},
    )
    others = [schema["additionalProperties"] for schema in schemas if schema.get("additionalProperties")]
    if not others:
        return fixed
    names = [schema["propertyNames"] for schema in schemas if "propertyNames" in schema]
    keys = make_string(names[0]["allOf"]) if names else st.text(max_size=10)
    more = st.dictionaries(keys, generate(others), max_size=3)
    return st.tuples(more, fixed).map(lambda parts: {**parts[0], **parts[1]})


def make_boolean(schemas):
    chosen = make_chosen(schemas, bool)
    return st.booleans() if chosen is None else chosen


MAKERS = {
    "null": lambda schemas: st.none(),
    "boolean": make_boolean,
    "integer": make_integer,
    "string": make_string,
    "array": make_array,
    "object": make_object,
}


def accepted(name):
    """What the schema of that file accepts."""
    return generate([inlined(SCHEMAS[name], name)]).filter(validator(name).is_valid)
