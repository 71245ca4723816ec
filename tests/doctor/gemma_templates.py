"""Chat templates in the manner of Gemma 4's, each with its own departures."""

from __future__ import annotations

__all__ = ["EMPTY", "gemma_template"]

_MACROS = """
{%- macro text(t) -%}<|"|>{{ t }}<|"|>{%- endmacro -%}
{%- macro value(v) -%}
{%- if v is none -%}NOTHING{%- elif v is boolean -%}{{ v | lower }}{%- elif v is string -%}{{ text(v) }}
{%- else -%}{{ v }}{%- endif -%}
{%- endmacro -%}
{%- macro fields(o) -%}
{%- for key, v in o | dictsort -%}{{ key }}:{{ value(v) }}{{ ',' if not loop.last }}{%- endfor -%}
{%- endmacro -%}
{%- macro property(p) -%}
{{ '{' }}{%- if p.description -%}description:{{ text(p.description) }},{%- endif -%}
{%- if p.enum -%}enum:[{%- for e in p.enum -%}{{ text(e) }}{{ ',' if not loop.last }}{%- endfor -%}],{%- endif -%}
type:{{ text(p.type | upper) }}{{ '}' }}
{%- endmacro -%}
{%- macro tool(t) -%}
<|tool>declaration:{{ t.name }}{{ '{' }}description:{{ text(t.description) }},parameters:{properties:{{ '{' }}
{%- for key, p in t.parameters.properties | dictsort -%}
{{ key }}:{{ property(p) }}{{ ',' if not loop.last }}
{%- endfor -%}
{{ '}' }},required:[{%- for r in t.parameters.required -%}{{ text(r) }}{{ ',' if not loop.last }}{%- endfor -%}],
{{- 'type:' }}{{ text('OBJECT') }}{{ '}}' }}<tool|>
{%- endmacro -%}
{%- macro response(name, r) -%}
<|tool_response>response:{{ name }}{{ '{' }}
{%- if r is mapping -%}{{ fields(r) }}{%- else -%}value:{{ value(r) }}{%- endif -%}
{{ '}' }}<tool_response|>
{%- endmacro -%}
"""

_TURNS = """
{%- set state = namespace(open=false, user=-1) -%}
{%- for m in messages -%}{%- if m.role == 'user' -%}{%- set state.user = loop.index0 -%}{%- endif -%}{%- endfor -%}
{{- bos_token -}}
{%- for m in messages -%}
{%- if m.role == 'system' -%}
{{- '<|turn>system\\n' -}}
{%- if enable_thinking -%}{{ '<|think|>AFTER_THINK' }}{%- endif -%}
{{ m.content }}{%- for t in tools or [] -%}{{ tool(t.function) }}{%- endfor -%}{{ '<turn|>\\n' }}
{%- elif m.role == 'user' -%}
{{- '<turn|>\\n' if state.open }}{%- set state.open = false -%}
{{- '<|turn>user\\n' + m.content + '<turn|>\\n' -}}
{%- elif m.role == 'assistant' -%}
{{- '<|turn>model\\n' if not state.open }}{%- set state.open = true -%}
{%- if m.reasoning and loop.index0 > state.user -%}
{{ '<|channel>thought\\n' + m.reasoning + 'CLOSE_THOUGHT<channel|>' }}
{%- endif -%}
{%- for c in m.tool_calls or [] -%}
<|tool_call>call:{{ c.function.name }}{{ '{' }}{{ fields(c.function.arguments) }}{{ '}' }}<tool_call|>
{%- endfor -%}
{%- for r in m.tool_responses or [] -%}{{ response(r.name, r.response) }}{%- endfor -%}
{{- m.content -}}
{%- if not m.tool_calls -%}{{ '<turn|>\\n' }}{%- set state.open = false -%}{%- endif -%}
{%- else -%}
TOOL_RESULT
{%- endif -%}
{%- endfor -%}
{%- if not state.open -%}
{{- '<|turn>model\\n' -}}
{%- if not enable_thinking -%}{{ 'START' }}{%- endif -%}
{%- elif enable_thinking -%}
{{ 'AFTER_RESULT' }}
{%- endif -%}
"""

EMPTY = r"<|channel>thought\n<channel|>"


def gemma_template(
    *,
    small: bool = False,
    after_think: str = r"\n",
    null: str = "null",
    close_thought: str = r"\n",
    tool_turns: bool = False,
    after_result: str = r"<|channel>thought\n",
) -> str:
    """A template that writes what agentkit writes, unless told otherwise.

    Args:
        small: Add no empty thought where thinking is off, as for the small models.
        after_think: What stands after the token that switches thinking on.
        null: How a missing value is written.
        close_thought: What stands before the end of a thought.
        tool_turns: Write results as turns of a role of their own.
        after_result: How the turn goes on after a result, with thinking on.
    """
    result = "{{ response(m.name, m.content) }}"
    if tool_turns:
        result = r"{{ '<turn|>\n<|turn>tool\n' + m.content + '<turn|>\n' }}{%- set state.open = false -%}"
    turns = _TURNS.replace("AFTER_THINK", after_think).replace("CLOSE_THOUGHT", close_thought)
    turns = turns.replace("TOOL_RESULT", result).replace("START", "" if small else EMPTY)
    return _MACROS.replace("NOTHING", null) + turns.replace("AFTER_RESULT", after_result)
