"""What the chat template of a file other than Gemma 4's knows, and whether it does as it says."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentkit.messages import Assistant, Message, System, Text, ToolResult, User
from agentkit.model_backend.base import TurnRequest
from agentkit.model_backend.doctor.findings import Finding, quoted
from agentkit.model_backend.doctor.golden import GOLDEN
from agentkit.model_backend.doctor.grammars import call_text
from agentkit.model_backend.engine.vocab import Vocab
from agentkit.model_backend.formats.chat_template import ChatTemplateFormat

__all__ = ["check_chat_template"]

_ANSWER = "The answer is forty-two."
_SPECIAL = re.compile(r"\s*(<[^<>\s]+>|\[[^\[\]\s]+\])")


def check_chat_template(form: ChatTemplateFormat, vocab: Vocab) -> Iterator[Finding]:
    """Yields what the template knows, and where it works against the model.

    Raises:
        agentkit.errors.ModelError: The template fails.
    """
    if form.name == "plain":
        yield Finding(
            "template",
            "warning",
            "the file carries no chat template: most likely a base model, which continues text and was not taught to "
            "answer or to call. Prompts are plain, tools are declared in words",
            "take the instruction-tuned model of the same name (-it, -Instruct)",
            data={"format": form.name},
        )
        return
    data = {
        "format": form.name,
        "declares_tools": form.declares_tools,
        "knows_results": form.knows_results,
        "thinks": form.thinks,
        "call_style": call_text(form, GOLDEN[0]),
    }
    if form.declares_tools:
        results = "and knows results" if form.knows_results else "and does not know results, which come as user text"
        message = f"it declares tools {results}; calls are written {quoted(str(data['call_style']), 100)}"
        yield Finding("template", "ok", message, data=data)
    else:
        message = "it knows no tools: they are declared in words, and the model calls less well than it could"
        yield Finding("template", "note", message, data=data)
    yield from _past_call(form, vocab)
    yield from _turn_end(form, vocab)


def _past_call(form: ChatTemplateFormat, vocab: Vocab) -> Iterator[Finding]:
    """Whether past calls stand in the prompt as new ones are constrained."""
    golden = GOLDEN[0]
    messages: list[Message] = [
        User(golden.question),
        Assistant((golden.call,)),
        ToolResult("", golden.call.name, "15"),
        User("Thanks"),
    ]
    text = vocab.detokenize(form.prompt(TurnRequest(messages=messages, tools=[golden.tool])))
    wanted = call_text(form, golden)
    if wanted in text:
        return
    at = text.find(golden.call.name, text.find(golden.question))
    shown = quoted(text[max(at - 30, 0) : at + 60], 100)
    yield Finding(
        "template",
        "note",
        "it writes past calls otherwise than new ones are decoded, so the model sees two ways to call",
        details=(f"file      {shown}", f"agentkit  {quoted(wanted, 100)}"),
    )


def _turn_end(form: ChatTemplateFormat, vocab: Vocab) -> Iterator[Finding]:
    """Whether the token with which the template ends the model's turn also stops generation."""
    messages: list[Message] = [System("Be brief."), User("Which?"), Assistant((Text(_ANSWER),)), User("Thanks")]
    text = vocab.detokenize(form.prompt(TurnRequest(messages=messages)))
    found = _SPECIAL.match(text.partition(_ANSWER)[2])
    token = vocab.special(found[1]) if found else None
    if found and token is not None and token not in vocab.eog:
        yield Finding(
            "stop tokens",
            "warning",
            f"the template ends the model's turn with {quoted(found[1])}, which does not stop generation: answers may "
            "run on into a turn of the user",
            "get a conversion whose metadata name it as end of turn (tokenizer.ggml.eot_token_id)",
            data={"turn_end": found[1]},
        )
