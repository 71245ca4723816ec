"""The chat template in a Gemma 4 file, next to agentkit's own renderer, which is used instead of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from os.path import commonprefix

from agentkit.errors import ModelError
from agentkit.model_backend.doctor.conversations import CONVERSATIONS, Conversation, template_messages
from agentkit.model_backend.doctor.findings import Finding, shortened
from agentkit.model_backend.doctor.script_start import script_start
from agentkit.model_backend.engine.vocab import Vocab
from agentkit.model_backend.formats.conversation import declaration
from agentkit.model_backend.formats.gemma4 import Gemma4Format, Generation, is_small, template_generation
from agentkit.model_backend.formats.template import ChatTemplate, TemplateRefused

__all__ = ["check_generation", "check_gemma_template", "check_thinking"]

RENDER_SECONDS = 2.0
_SNIPPET = 50
_BEFORE = 12
_UNKNOWN = "it writes another text"
_TOOL_TURN = "<|turn>tool"
_EMPTY_THOUGHT = "<|channel>thought\n<channel|>"

_GENERATIONS: dict[Generation, tuple[str, str]] = {
    "none": ("none in the file", ""),
    "launch": (
        "as published on 2 April 2026: it writes results as turns of a role that the model does not know",
        "other programs use the template in the file: for them, get a conversion from after July 2026",
    ),
    "april": (
        "as published between 10 April and June 2026: it opens no thought after a tool's result",
        "other programs use the template in the file: for them, get a conversion from after July 2026",
    ),
    "july": ("as published on 9 July 2026", ""),
    "interleaved": (
        "llama.cpp's variant of the first one, with thoughts kept between calls; superseded in July 2026",
        "other programs use the template in the file: for them, get a conversion from after July 2026",
    ),
}


def check_generation(form: Gemma4Format) -> Finding:
    """Returns which publication of the chat template the file carries."""
    generation = template_generation(form.alphabet.vocab.metadata)
    message, advice = _GENERATIONS[generation]
    said = f"{message}; agentkit writes prompts itself"
    data = {"generation": generation}
    return Finding("template", "ok" if generation in ("july", "none") else "note", said, advice, data=data)


def check_thinking(form: Gemma4Format, thinking_off: str | None) -> Finding:
    """Returns how thinking is turned off for this size of the model.

    Args:
        form: The file's format.
        thinking_off: What the catalog says of the model, where it is known.
    """
    small = is_small(form.alphabet.vocab.metadata)
    ours = "nothing" if small else "empty thought"
    size = "a small model (per-layer embeddings, as E2B and E4B)" if small else "a large model (12B, 26B, 31B)"
    rule = "nothing stands in the prompt" if small else "an empty thought stands in the prompt"
    message = f"{size}: with thinking off, {rule}"
    data = {"small": small, "thinking_off": ours}
    if thinking_off is not None and thinking_off != ours:
        advice = "the file is not the model that its size says it is; compare its digest"
        return Finding("thinking", "warning", f"{message}; the catalog says {thinking_off!r}", advice, data=data)
    return Finding("thinking", "ok", message, data=data)


@dataclass(frozen=True, slots=True)
class _Comparison:
    name: str
    same: bool
    why: str = ""
    ours: str = ""
    theirs: str = ""


def check_gemma_template(form: Gemma4Format, vocab: Vocab, source: str) -> Iterator[Finding]:
    """Yields where the file's template writes another text than agentkit.

    A template that fails does no harm here, but it says something of the file.

    Args:
        form: The file's format.
        vocab: The model's tokens.
        source: The template.
    """
    template = ChatTemplate(source, seconds=RENDER_SECONDS)
    compared: list[_Comparison] = []
    try:
        for conversation in CONVERSATIONS:
            try:
                compared.append(_compare(form, vocab, template, conversation))
            except TemplateRefused as refusal:
                compared.append(_Comparison(conversation.name, False, f"it refuses it: {shortened(str(refusal), 200)}"))
    except ModelError as error:
        yield _failed(f"{CONVERSATIONS[len(compared)].name}: {shortened(str(error), 300)}", harmless=bool(compared))
    finally:
        template.close()
    if compared and not any(comparison.ours or comparison.same for comparison in compared):
        yield _failed(f"{compared[0].name}: {compared[0].why}", harmless=False)
    elif compared:
        yield from _differences(compared)


def _failed(what: str, *, harmless: bool) -> Finding:
    advice = "agentkit does not use it, but a sound file has one that works: get the file from its publisher"
    return Finding("template", "warning" if harmless else "problem", what, advice)


def _differences(compared: Sequence[_Comparison]) -> Iterator[Finding]:
    same = [comparison.name for comparison in compared if comparison.same]
    if not same and compared[0].why == _UNKNOWN:
        message = f"the file's template writes none of {len(compared)} conversations as Gemma 4 expects them"
        advice = "agentkit does not use it, but it is not Gemma 4's; get the file from its publisher"
        yield Finding("template", "warning", message, advice, details=_details(compared[0]))
        return
    message = f"the file's template writes {len(same)} of {len(compared)} conversations as agentkit does"
    yield Finding("template", "ok", message, data={"same": same})
    for why in dict.fromkeys(comparison.why for comparison in compared if not comparison.same):
        alike = [comparison for comparison in compared if comparison.why == why and not comparison.same]
        first, names = alike[0], [comparison.name for comparison in alike]
        data = {"conversations": names, "file": first.theirs, "agentkit": first.ours}
        yield Finding("template", "note", f"{'; '.join(names)}: {why}", details=_details(first), data=data)


def _details(comparison: _Comparison) -> tuple[str, ...]:
    if not comparison.ours:
        return ()
    return f"file      {comparison.theirs}", f"agentkit  {comparison.ours}"


def _compare(form: Gemma4Format, vocab: Vocab, template: ChatTemplate, conversation: Conversation) -> _Comparison:
    request = conversation.request
    prompt = form.alphabet.decode(form.prompt(request))
    opening = form.alphabet.decode(script_start(form, request, vocab)[0])
    theirs = template.render(_variables(form, conversation))
    # In a new turn all templates leave it to the model to open its thought; agentkit's script does it.
    starts = request.thinking > 0 and request.messages[-1].role != "tool"
    ours = prompt if starts and theirs == prompt else prompt + opening
    if theirs == ours:
        return _Comparison(conversation.name, True)
    if _TOOL_TURN in theirs:
        shown = _snippet(ours, ours.find("<|tool_response>")), _snippet(theirs, theirs.index(_TOOL_TURN))
        return _Comparison(conversation.name, False, "it writes a result as a turn of its own", *shown)
    at = len(commonprefix([ours, theirs]))
    why = _why(conversation, prompt, opening, theirs, starts)
    return _Comparison(conversation.name, False, why, _snippet(ours, at), _snippet(theirs, at))


def _variables(form: Gemma4Format, conversation: Conversation) -> dict[str, object]:
    vocab = form.alphabet.vocab
    bos = "" if vocab.bos is None else vocab.piece(vocab.bos).decode("utf-8", "replace")
    return {
        "messages": template_messages(conversation),
        "tools": [declaration(tool) for tool in conversation.request.tools] or None,
        "add_generation_prompt": True,
        "enable_thinking": conversation.request.thinking > 0,
        "bos_token": bos,
        "eos_token": "<eos>",
    }


def _snippet(text: str, at: int) -> str:
    """The text around a place, quoted."""
    start = max(at - _BEFORE, 0)
    shown = text[start : start + _SNIPPET]
    return ("..." if start else "") + repr(shown)[1:-1] + ("..." if start + _SNIPPET < len(text) else "(end)")


_KNOWN: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("it writes no line end after <|think|>", lambda text: text.replace("<|think|>\n", "<|think|>")),
    (
        "it leaves out the thought before a call",
        lambda text: re.sub(r"<\|channel>thought\n(?:(?!<channel\|>).)+<channel\|>", "", text, flags=re.DOTALL),
    ),
    ("it writes null as None", lambda text: re.sub(r"(?<=[:,\[])null(?=[,}\]])", "None", text)),
    (
        "it closes thoughts without a line end",
        lambda text: re.sub(
            r"(<\|channel>thought\n(?:(?!<channel\|>).)+)\n<channel\|>", r"\1<channel|>", text, flags=re.DOTALL
        ),
    ),
)
"""What templates are known to do differently, and how agentkit's text becomes theirs."""


def _why(conversation: Conversation, prompt: str, opening: str, theirs: str, starts: bool) -> str:
    for chosen in product((False, True), repeat=len(_KNOWN)):
        text, reasons = prompt, list[str]()
        for taken, (reason, change) in zip(chosen, _KNOWN, strict=True):
            if taken and change(text) != text:
                text = change(text)
                reasons.append(reason)
        said = _about_opening(theirs[len(text) :], opening, starts) if theirs.startswith(text) else None
        if said is not None:
            return "; ".join([*reasons, *said])
    return conversation.difference or _UNKNOWN


def _about_opening(theirs: str, ours: str, starts: bool) -> list[str] | None:
    """How the turn begins differently; ``None`` when the rest of the text is not about that."""
    if theirs == ours or (starts and not theirs):
        return []
    if theirs == _EMPTY_THOUGHT:
        return ["it begins the turn with an empty thought"]
    if not theirs and ours == _EMPTY_THOUGHT:
        return ["it begins the turn without the empty thought that keeps large models from thinking"]
    if not theirs:
        return ["it leaves it to the model to open a thought after a tool's result"]
    return None
