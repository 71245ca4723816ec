"""Scripts decode as they say, together and apart, and stop when they are told to."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from agentkit.errors import LimitReached, ModelError, UsageError
from agentkit.model_backend.base import Delta
from agentkit.model_backend.constraint import Constraints
from agentkit.model_backend.engine import Engine, EngineSettings, Outcome, ResolvedSampling
from agentkit.model_backend.engine.decode import Decoder
from agentkit.model_backend.engine.native import Logits
from agentkit.model_backend.engine.sampling import Matcher, Sampler
from agentkit.model_backend.script import Constrained, Decoded, Free, Grammar, Literal, Script, Segment
from tests.tiny_gguf import build_tiny_gguf

GREEDY = ResolvedSampling()
RANDOM = ResolvedSampling(temperature=1.0, seed=5)
NUMBER = Grammar('start: "{\\"number\\": " /[0-9]{1,4}/ "}"')


def script_of(*segments: Segment) -> Script[list[Decoded]]:
    decoded: list[Decoded] = []
    for segment in segments:
        result = yield segment
        decoded.append(result)
    return decoded


def run(
    engine: Engine, *segments: Segment, prompt: str = "Hello", sampling: ResolvedSampling = GREEDY
) -> Outcome[list[Decoded]]:
    tokens = [2, *engine.vocab.tokenize(prompt, special=False)]
    return asyncio.run(engine.run(tokens, script_of(*segments), sampling=sampling))


# ------------------------------------------------------------------------------------------- segments


def test_a_literal_is_put_there_with_its_control_tokens_and_nothing_is_computed_for_it(engine: Engine) -> None:
    outcome = run(engine, Literal(text="<|tool_call>call:"))
    assert outcome.tokens[0] == engine.vocab.special("<|tool_call>")
    assert outcome.value[0] == Decoded(text="<|tool_call>call:", tokens=outcome.tokens, stop="complete")
    assert outcome.usage.forced_tokens == outcome.usage.output_tokens == len(outcome.tokens)


def test_free_text_ends_at_its_budget(engine: Engine) -> None:
    outcome = run(engine, Free(max_tokens=7, kind="thought"))
    assert (outcome.value[0].stop, len(outcome.tokens)) == ("length", 7)
    assert (outcome.usage.thought_tokens, outcome.usage.forced_tokens) == (7, 0)


def test_a_budget_of_nothing_samples_nothing(engine: Engine) -> None:
    outcome = run(engine, Free(max_tokens=0), Free(max_tokens=0), Literal(text="x"), Free(max_tokens=1))
    assert [len(decoded.tokens) for decoded in outcome.value] == [0, 0, 1, 1]


def test_free_text_ends_at_an_end_token(engine: Engine) -> None:
    everything_else = tuple(token for token in range(engine.vocab.size) if token not in engine.vocab.eog)
    outcome = run(engine, Free(ban=everything_else))
    assert (outcome.value[0].stop, outcome.value[0].text) == ("eog", "")
    assert outcome.tokens[0] in engine.vocab.eog


def test_free_text_ends_at_a_control_token_named_by_its_text(engine: Engine) -> None:
    call = engine.vocab.special("<|tool_call>")
    assert call is not None
    outcome = run(engine, Free(stop=("<|tool_call>",), ban=tuple(t for t in range(engine.vocab.size) if t != call)))
    assert outcome.value[0] == Decoded(text="", tokens=(call,), stop="stop", matched="<|tool_call>")


def test_a_stop_string_is_found_across_tokens_and_is_not_part_of_the_text(engine: Engine) -> None:
    a, b, c = (engine.vocab.tokenize(letter, special=False)[0] for letter in "jqz")
    only = tuple(token for token in range(engine.vocab.size) if token not in (a, b, c))
    sampling = ResolvedSampling(temperature=5.0, seed=1)
    outcome = run(engine, Free(stop=("jq",), ban=only, max_tokens=400), sampling=sampling)
    decoded = outcome.value[0]
    assert (decoded.stop, decoded.matched) == ("stop", "jq")
    assert "jq" not in decoded.text
    assert engine.vocab.detokenize(decoded.tokens) == decoded.text + "jq"


def test_what_a_token_holds_beyond_the_stop_string_is_cut_off_and_not_computed(engine: Engine) -> None:
    word = engine.vocab.tokenize("value", special=False)
    assert len(word) == 1
    only = tuple(token for token in range(engine.vocab.size) if token != word[0])
    outcome = run(engine, Free(stop=("valueval",), ban=only), Literal(text="!"))
    assert outcome.value[0].matched == "valueval"
    assert outcome.value[0].text == ""
    assert engine.vocab.detokenize(outcome.tokens) == "valueval!"


def test_constrained_text_fits_its_grammar_whatever_the_model_prefers(engine: Engine) -> None:
    for seed in range(10):
        outcome = run(engine, Constrained(grammar=NUMBER), sampling=ResolvedSampling(temperature=2.0, seed=seed))
        assert outcome.value[0].stop == "complete"
        prefix, number, suffix = outcome.value[0].text.partition(outcome.value[0].text[11:-1])
        assert (prefix, suffix) == ('{"number": ', "}")
        assert number.isdigit()


def test_tokens_that_a_grammar_leaves_no_choice_about_are_not_sampled(engine: Engine) -> None:
    outcome = run(engine, Constrained(grammar=Grammar('start: "only this"')))
    assert outcome.value[0].text == "only this"
    assert outcome.usage.forced_tokens == outcome.usage.output_tokens


def test_a_grammar_cut_at_its_budget_says_so(engine: Engine) -> None:
    outcome = run(engine, Constrained(grammar=NUMBER, max_tokens=3))
    assert (outcome.value[0].stop, len(outcome.tokens)) == ("length", 3)


def test_what_goes_in_circles_within_a_grammar_is_cut_off(engine: Engine) -> None:
    class Stubborn(Sampler):
        def constrained(self, logits: Logits, matcher: Matcher) -> int:
            token: int = next(token for token in (again, *range(engine.vocab.size)) if matcher.allows(token))
            return token

    (again,) = engine.vocab.tokenize("a", special=False)
    decoder = Decoder(
        script_of(Constrained(grammar=Grammar("start: /[ab]{4000}/"), max_tokens=1000)),
        vocab=engine.vocab,
        sampler=Stubborn(GREEDY),
        matcher=Constraints(engine.vocab.handle, eog=engine.vocab.eog).matcher,
        room=2000,
        emit=lambda delta: None,
    )
    feed = decoder.run()
    with pytest.raises(StopIteration) as ended:
        while True:
            feed.send(None)  # type: ignore[arg-type]  # the logits, which it does not look at
    (decoded,) = ended.value.value
    assert (decoded.stop, {*decoded.text}) == ("length", {"a"})
    assert 200 < len(decoded.tokens) < 400


def test_what_was_decoded_decides_what_follows(engine: Engine) -> None:
    def script() -> Script[str]:
        first = yield Constrained(grammar=Grammar('start: "a" | "b"'))
        second = yield Constrained(grammar=Grammar(f'start: "{first.text * 3}"'))
        return first.text + second.text

    value = asyncio.run(engine.run([2], script(), sampling=GREEDY)).value
    assert value in ("aaaa", "bbbb")


def test_forced_tokens_in_one_batch_give_the_text_that_one_by_one_gives(tmp_path: Path, engine: Engine) -> None:
    """The pending token is carried into the next segment: the logits after it must be the same."""
    whole = run(engine, Literal(text="abcdef"), Free(max_tokens=12))
    parts = run(engine, *(Literal(text=letter) for letter in "abcdef"), Free(max_tokens=12))
    split = run(engine, Literal(text="abcdef"), Free(max_tokens=5), Free(max_tokens=7))
    assert whole.tokens == parts.tokens == split.tokens


def test_an_error_in_a_script_reaches_the_caller_and_harms_no_one_else(engine: Engine) -> None:
    def broken() -> Script[None]:
        yield Free(max_tokens=3)
        raise ZeroDivisionError("in the script")

    with pytest.raises(ZeroDivisionError, match="in the script"):
        asyncio.run(engine.run([2], broken(), sampling=GREEDY))
    assert len(run(engine, Free(max_tokens=3)).tokens) == 3


def test_tokens_that_the_file_suppresses_are_never_sampled(tmp_path: Path, engine: Engine) -> None:
    unsuppressed = run(engine, Free(max_tokens=20, ban=tuple(engine.vocab.eog))).tokens
    with_list = Engine.load(build_tiny_gguf(tmp_path / "s.gguf", suppress=sorted(set(unsuppressed))))
    assert with_list.vocab.suppressed == set(unsuppressed)
    outcome = run(with_list, Free(max_tokens=50))
    assert not set(outcome.tokens) & set(unsuppressed)
    with_list.close()


# ------------------------------------------------------------------------------------------- what people see


def test_deltas_add_up_to_the_text_and_control_is_not_shown(engine: Engine) -> None:
    seen: list[Delta] = []

    async def main() -> Outcome[list[Decoded]]:
        segments = (
            Free(max_tokens=30, kind="thought"),
            Literal(text="<turn|>"),
            Constrained(grammar=NUMBER),
        )
        threads: set[int] = set()

        def emit(delta: Delta) -> None:
            threads.add(threading.get_ident())
            seen.append(delta)

        outcome = await engine.run([2, 30], script_of(*segments), sampling=RANDOM, emit=emit)
        assert threads == {threading.get_ident()}
        return outcome

    outcome = asyncio.run(main())
    thought, control, call = outcome.value
    assert control.text == "<turn|>"
    assert "".join(delta.text for delta in seen if delta.kind == "thought") == thought.text
    assert "".join(delta.text for delta in seen if delta.kind == "call") == call.text
    assert sum(delta.tokens for delta in seen) == pytest.approx(len(outcome.tokens), abs=3)


def test_a_character_that_is_cut_by_the_end_of_a_segment_is_shown_whole_with_the_next(tiny: Path) -> None:
    engine = Engine.load(tiny, EngineSettings(context=256))
    halves = [next(t for t in range(engine.vocab.size) if engine.vocab.piece(t) == bytes([b])) for b in "é".encode()]
    others = [tuple(token for token in range(engine.vocab.size) if token != half) for half in halves]
    shown: list[Delta] = []
    script = script_of(*(Free(max_tokens=1, ban=ban) for ban in others), Literal(text="!", kind="text"))
    outcome = asyncio.run(engine.run([2], script, sampling=GREEDY, emit=shown.append))
    assert [decoded.text for decoded in outcome.value] == ["", "é", "!"]
    assert [(delta.text, delta.tokens) for delta in shown] == [("é", 2), ("!", 1)]
    engine.close()


def test_usage_counts_what_was_reused(engine: Engine) -> None:
    prompt = "a prompt of its own, " * 20
    first = run(engine, Free(max_tokens=2), prompt=prompt).usage
    second = run(engine, Free(max_tokens=2), prompt=prompt).usage
    assert first.prompt_tokens == second.prompt_tokens
    assert first.reused_tokens < 20
    assert second.reused_tokens == second.prompt_tokens - 1
    assert first.turns == 1
    assert first.prompt_seconds > 0
    assert first.output_seconds > 0


# ------------------------------------------------------------------------------------------- several at once


def test_runs_together_give_what_they_give_alone(engine: Engine) -> None:
    prompts = [[2, *engine.vocab.tokenize(f"prompt number {n} " * (n + 1), special=False)] for n in range(9)]
    segments = (Free(max_tokens=8), Literal(text="\n"), Constrained(grammar=NUMBER))

    async def one(prompt: list[int]) -> str:
        outcome = await engine.run(prompt, script_of(*segments), sampling=GREEDY)
        return "|".join(decoded.text for decoded in outcome.value)

    async def together() -> list[str]:
        return list(await asyncio.gather(*map(one, prompts)))

    alone = [asyncio.run(one(prompt)) for prompt in prompts]
    assert asyncio.run(together()) == alone


def test_a_prefix_is_computed_once_for_runs_that_start_together(tiny: Path) -> None:
    engine = Engine.load(tiny, EngineSettings(context=2048))
    shared = [2, *engine.vocab.tokenize("the same instructions for all. " * 15, special=False)]

    async def main() -> list[int]:
        outcomes = await asyncio.gather(
            *(engine.run([*shared, 300 + n, 301], script_of(Free(max_tokens=4)), sampling=GREEDY) for n in range(4))
        )
        return [outcome.usage.reused_tokens for outcome in outcomes]

    reused = asyncio.run(main())
    engine.close()
    assert sorted(reused)[0] == 0
    assert all(count >= len(shared) - 32 for count in sorted(reused)[1:])


def test_runs_that_need_more_than_the_cache_holds_take_turns_and_all_end(tiny: Path) -> None:
    engine = Engine.load(tiny, EngineSettings(context=512, batch=64))
    prompts = [[2, *([30 + n] * 300)] for n in range(6)]

    async def main() -> list[Outcome[list[Decoded]]]:
        script = [script_of(Free(max_tokens=60, ban=tuple(engine.vocab.eog))) for _ in prompts]
        runs = (engine.run(p, s, sampling=GREEDY) for p, s in zip(prompts, script, strict=True))
        return list(await asyncio.gather(*runs))

    outcomes = asyncio.run(main())
    alone = asyncio.run(engine.run(prompts[3], script_of(Free(max_tokens=60, ban=(1, 9, 16))), sampling=GREEDY))
    engine.close()
    assert [len(outcome.tokens) for outcome in outcomes] == [60] * 6
    assert outcomes[3].tokens[:10] == alone.tokens[:10]


# ------------------------------------------------------------------------------------------- limits and ends


def test_a_prompt_that_does_not_fit_is_refused_with_both_numbers(engine: Engine) -> None:
    with pytest.raises(LimitReached, match=r"2048 tokens and the context holds 2048") as caught:
        asyncio.run(engine.run([30] * 2048, script_of(Free()), sampling=GREEDY))
    assert caught.value.reason == "context_full"


def test_free_text_ends_where_the_context_ends(engine: Engine) -> None:
    prompt = [30] * (engine.context - 5)
    segment = Free(max_tokens=100, ban=tuple(engine.vocab.eog))
    outcome = asyncio.run(engine.run(prompt, script_of(segment, segment), sampling=GREEDY))
    assert [(decoded.stop, len(decoded.tokens)) for decoded in outcome.value] == [("length", 5), ("length", 0)]


def test_a_literal_that_does_not_fit_the_context_is_refused(engine: Engine) -> None:
    with pytest.raises(LimitReached, match="8 more tokens are to be added and 5 fit"):
        asyncio.run(engine.run([30] * (engine.context - 5), script_of(Literal(tokens=(40,) * 8)), sampling=GREEDY))


@pytest.mark.parametrize("prompt", [[], [-1], [10**6], [2, 418]])
def test_a_prompt_that_would_crash_llama_cpp_is_misuse(engine: Engine, prompt: list[int]) -> None:
    with pytest.raises(UsageError, match="at least one token|not in the vocabulary"):
        asyncio.run(engine.run(prompt, script_of(Free()), sampling=GREEDY))


@pytest.mark.parametrize("segment", [Literal(tokens=(10**6,)), Free(ban=(-1,)), Free(ban=(418,))])
def test_token_ids_in_a_script_are_checked_too(engine: Engine, segment: Segment) -> None:
    with pytest.raises(UsageError, match="not in the vocabulary"):
        run(engine, segment)


def test_cancelling_stops_within_a_token_and_frees_the_slot(tiny: Path) -> None:
    engine = Engine.load(tiny, EngineSettings(context=2048, slots=1))
    seen: list[Delta] = []

    async def main() -> None:
        started = asyncio.Event()

        def emit(delta: Delta) -> None:
            seen.append(delta)
            started.set()

        endless = Free(max_tokens=10**6, ban=tuple(engine.vocab.eog))
        task = asyncio.create_task(engine.run([2], script_of(endless), sampling=RANDOM, emit=emit))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        count = len(seen)
        outcome = await engine.run([2], script_of(Free(max_tokens=3)), sampling=GREEDY)  # there is one slot
        assert len(outcome.tokens) == 3
        assert len(seen) == count

    asyncio.run(main())
    engine.close()


def test_closing_fails_the_runs_that_are_going_on_and_later_ones(tiny: Path) -> None:
    engine = Engine.load(tiny, EngineSettings(context=4096, slots=2))
    endless = Free(max_tokens=10**6, ban=tuple(engine.vocab.eog))

    async def main() -> None:
        tasks = [asyncio.create_task(engine.run([2], script_of(endless), sampling=RANDOM)) for _ in range(4)]
        await asyncio.sleep(0.05)
        engine.close()
        engine.close()
        for error in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(error, ModelError)
        with pytest.raises(ModelError, match="closed"):
            await engine.run([2], script_of(endless), sampling=GREEDY)

    asyncio.run(main())
    with pytest.raises(ModelError, match="closed"):
        engine.vocab.tokenize("after the end", special=False)


def test_closing_from_several_threads_at_once_is_safe(tiny: Path) -> None:
    engine = Engine.load(tiny)
    threads = [threading.Thread(target=engine.close) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
        assert not thread.is_alive()


def test_an_engine_that_is_dropped_ends_its_thread(tiny: Path) -> None:
    engine = Engine.load(tiny)
    name = f"engine {tiny.name}"
    before = sum(thread.name == name for thread in threading.enumerate())
    del engine
    deadline = time.monotonic() + 5
    while sum(thread.name == name for thread in threading.enumerate()) >= before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sum(thread.name == name for thread in threading.enumerate()) == before - 1


def test_the_same_seed_gives_the_same_text(tiny: Path) -> None:
    engine = Engine.load(tiny, EngineSettings(slots=1))
    run(engine, Free(max_tokens=1))  # from here on all runs reuse the same prefix: a reused one rounds differently
    first, again = (run(engine, Free(max_tokens=20), sampling=RANDOM).tokens for _ in range(2))
    other = run(engine, Free(max_tokens=20), sampling=ResolvedSampling(temperature=1.0, seed=6)).tokens
    engine.close()
    assert first == again != other
