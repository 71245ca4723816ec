"""A chat template from a stranger's file can't reach Python, hang, or eat the machine."""

from __future__ import annotations

import time

import pytest

from agentkit.errors import ModelError
from agentkit.model_backend.formats.template import ChatTemplate, TemplateRefused

HOSTILE = {
    "subclasses": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals of a macro": "{% macro m() %}{% endmacro %}{{ m.__globals__ }}",
    "globals of a helper": "{{ raise_exception.__globals__['sys'].modules['os'].system('touch /tmp/owned') }}",
    "format string": "{{ '{0.__class__.__init__.__globals__}'.format(cycler) }}",
    "attr filter": "{{ ''|attr('__class__')|attr('__mro__') }}",
    "indirect format": "{{ ['{0.__class__.__mro__}']|map('format', 1)|list }}",
    "include of a file": "{% include '/etc/passwd' %}",
    "change of a list": "{% set _ = messages.append(1) %}{{ messages }}",
    "endless loops": "{% for a in range(99999) %}{% for b in range(99999) %}"
    "{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}",
    "multiplied text": "{{ 'x' * 10000000000 }}",
    "doubled text": "{% set n = namespace(x='x' * 1000) %}"
    "{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}",
    "padded text": "{{ '%09999999999d' % 3 }}",
    "recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "huge range": "{{ range(10 ** 9)|list|length }}",
    "missing variable's attribute": "{{ nobody.name.first }}",
    "syntax error": "{% for x in %}",
    "a gigabyte of output": "{% for i in range(99999) %}{{ 'x' * 20000 }}{% endfor %}",
}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE)
def test_hostile_templates_give_an_error_soon(source: str) -> None:
    template = ChatTemplate(source, seconds=3.0)
    started = time.monotonic()
    with pytest.raises(ModelError, match="chat template"):
        leak = template.render({"messages": []})
        assert "class" not in leak and "root:" not in leak, leak
        raise ModelError("the chat template gave nothing away")
    assert time.monotonic() - started < 8
    template.close()


def test_a_template_works_again_after_it_was_too_slow() -> None:
    template = ChatTemplate("{% for a in range(n) %}{% for b in range(n) %}{% endfor %}{% endfor %}done", seconds=1.0)
    with pytest.raises(ModelError, match="longer than 1 s"):
        template.render({"n": 99999})
    assert template.render({"n": 2}) == "done"
    template.close()


def test_what_hugging_face_templates_expect_is_there() -> None:
    template = ChatTemplate(
        "{%- for x in xs %}\n"
        "  {%- if x == 2 %}{% continue %}{% endif %}\n"
        "  {%- generation %}{{ x }}{% endgeneration %}\n"
        "{%- endfor %}|{{ {'a': '<é>', 'b': [1]} | tojson }}|{{ strftime_now('%Y') | length }}"
    )
    assert template.render({"xs": [1, 2, 3]}) == '13|{"a": "<é>", "b": [1]}|4'
    template.close()


def test_a_refusal_of_the_template_is_told_in_its_words() -> None:
    template = ChatTemplate("{{ raise_exception('roles must alternate') }}")
    with pytest.raises(TemplateRefused, match="roles must alternate"):
        template.render({})
    template.close()
