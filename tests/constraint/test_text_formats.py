"""What a grammar lets through as a date, an address or a name of a host is one; what people write gets through."""

from __future__ import annotations

import json

import jsonschema
import pytest

from agentkit.model_backend.constraint import json_schema_grammar, validate
from agentkit.model_backend.constraint.text_formats import FORMATS
from tests.constraint.conftest import Accepts, Walk

WRITTEN = {
    "date": ["2024-02-29", "1999-12-31", "0001-01-01", "2000-02-29"],
    "time": ["08:30:00Z", "23:59:59.999+05:30", "00:00:00-00:00"],
    "date-time": ["2024-02-29T23:59:59Z", "1969-07-20T20:17:40.123456+00:00"],
    "duration": ["P3D", "PT1H30M", "P1Y2M3DT4H5M6S", "P2W", "PT36H", "P1M"],
    "email": ["a@b", "jean-luc.picard+tag@mail.star-fleet.example.co.uk", "o'brien@example.org", "x" * 64 + "@a.b"],
    "hostname": ["localhost", "ec2-203-0-113-25.eu-west-1.compute.amazonaws.com", "A.example", "x" * 63 + ".org"],
    "ipv4": ["0.0.0.0", "192.168.0.1", "255.255.255.255"],
    "ipv6": ["::", "::1", "fe80::", "2001:db8::8a2e:370:7334", "1:2:3:4:5:6:7:8", "::ffff:192.0.2.1", "1:2:3::7:8"],
    "uuid": ["123e4567-e89b-12d3-a456-426614174000", "AAAAAAAA-bbbb-0000-0000-000000000000"],
    "uri": [
        "https://en.wikipedia.org/wiki/Foo_(bar)?q=a%20b&c=1#top",
        "http://user@localhost:8080/a//b/",
        "mailto:jean@example.org",
        "urn:isbn:0451450523",
        "file:///etc/hosts",
        "tel:+1-816-555-1212",
        "data:,x",
        "https://192.0.2.1/~me/$x;y='z'",
    ],
}
NOT_WRITTEN = {
    "date": ["2023-02-29", "1900-02-29", "2024-13-01", "2024-4-1", "0000-01-01"],
    "time": ["12:00:60Z", "24:00:00Z", "12:00:00", "12:00:00z", "12:00Z"],
    "date-time": ["2024-01-01t00:00:00Z", "2024-01-01 00:00:00Z", "2024-01-01T00:00:60Z", "2024-01-01"],
    "duration": ["P", "PT", "P1DT", "PT1H30S", "1D", "P1.5D"],
    "email": ["a", "@b", "a@", "a@b@c", "x" * 65 + "@a.b", ".a@b", "a..b@c"],
    "hostname": ["-a", "a-", "a..b", "a_b", "x" * 64, "ab--cd"],
    "ipv4": ["256.0.0.0", "01.2.3.4", "1.2.3"],
    "ipv6": ["1:2:3:4:5:6:7", ":::", "1::2::3", "12345::", "1:2:3:4:5:6:7::8"],
    "uuid": ["123e4567e89b12d3a456426614174000"],
    "uri": ["//a", "a b:c", "http://a/%zz", "1a:b", "http://a#b#c"],
}


def text(name: str) -> dict[str, str]:
    return {"type": "string", "format": name}


@pytest.mark.parametrize("name", FORMATS)
def test_two_hundred_random_texts_of_each_format_are_valid(name: str, walk: Walk) -> None:
    grammar = json_schema_grammar(text(name))
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    ended = 0
    for seed in range(240):
        if (written := walk(grammar, seed)) is not None:
            ended += 1
            value = json.loads(written)
            assert validate(text(name), value) == []
            checker.check(value, name)
    assert ended >= 200


@pytest.mark.parametrize(("name", "written"), [(name, one) for name, many in WRITTEN.items() for one in many])
def test_what_people_write_gets_through(name: str, written: str, accepts: Accepts) -> None:
    assert validate(text(name), written) == []
    assert accepts(json_schema_grammar(text(name)), json.dumps(written))


@pytest.mark.parametrize(("name", "written"), [(name, one) for name, many in NOT_WRITTEN.items() for one in many])
def test_what_is_none_does_not_get_through(name: str, written: str, accepts: Accepts) -> None:
    assert not accepts(json_schema_grammar(text(name)), json.dumps(written))


def test_every_format_has_examples() -> None:
    assert FORMATS.keys() == WRITTEN.keys() == NOT_WRITTEN.keys()


def test_a_format_and_a_pattern_must_both_match(accepts: Accepts) -> None:
    grammar = json_schema_grammar({**text("date"), "pattern": "^2024"})
    assert accepts(grammar, '"2024-02-29"')
    assert not accepts(grammar, '"2023-02-28"')
