"""Comparing what came with what was expected, with room for what the contract leaves open."""


class Any:
    """Any value of a type; texts must say something."""

    def __init__(self, kind=str):
        self.kind = kind

    def matches(self, actual):
        if isinstance(actual, bool) and self.kind is not bool:
            return False
        return isinstance(actual, self.kind) and (self.kind is not str or actual != "")

    def __repr__(self):
        return f"<any {self.kind.__name__}>"


class OneOf:
    def __init__(self, *choices):
        self.choices = choices

    def matches(self, actual):
        return any(not differences(choice, actual) for choice in self.choices)

    def __repr__(self):
        return f"<one of {self.choices}>"


class Optional:
    """In a map: may be absent."""

    def __init__(self, expected):
        self.expected = expected

    def matches(self, actual):
        return not differences(self.expected, actual)

    def __repr__(self):
        return f"<optional {self.expected!r}>"


def differences(expected, actual, path="") -> list:
    """What a person needs to see; empty when all is as expected. 1, 1.0 and True are three values."""
    if hasattr(expected, "matches"):
        return [] if expected.matches(actual) else [f"{path}: expected {expected!r}, got {actual!r}"]
    if type(expected) is not type(actual):
        return [f"{path}: expected {expected!r}, got {actual!r}"]
    if isinstance(expected, dict):
        found = []
        for key, value in expected.items():
            if key in actual:
                found += differences(value, actual[key], f"{path}.{key}")
            elif not isinstance(value, Optional):
                found.append(f"{path}.{key}: missing, expected {value!r}")
        found += [f"{path}.{key}: not expected, got {actual[key]!r}" for key in actual if key not in expected]
        return found
    if isinstance(expected, list):
        if len(expected) != len(actual):
            return [f"{path}: expected {len(expected)} items {expected!r:.300}, got {len(actual)}: {actual!r:.300}"]
        return [line for i, pair in enumerate(zip(expected, actual)) for line in differences(*pair, f"{path}[{i}]")]
    return [] if expected == actual else [f"{path}: expected {expected!r}, got {actual!r}"]
