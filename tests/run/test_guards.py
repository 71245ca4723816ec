"""Limits, repeated calls and the count of tokens."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.errors import LimitReached, UsageError
from agentkit.guards import MIN_OUTPUT, CallGuard, Ledger
from agentkit.limits import Limits
from agentkit.messages import Usage
from agentkit.model_backend.base import TurnRequest
from agentkit.planners.base import StepResult
from agentkit.planners.plan import Step, StepId

NO_RESULTS: dict[StepId, StepResult] = {}


def step(name: str, tool: str = "read", **args: Any) -> Step:
    return Step(id=StepId(name), tool=tool, args=args)


def result(name: str, *, ok: bool) -> dict[StepId, StepResult]:
    return {StepId(name): StepResult(id=StepId(name), tool="read", value="x", ok=ok)}


def test_a_new_call_is_admitted() -> None:
    guard = CallGuard(Limits())
    assert guard.admit(step("a", x=1), pure=True, results=NO_RESULTS) is None
    assert guard.admit(step("b", x=2), pure=True, results=NO_RESULTS) is None


def test_the_same_call_is_answered_by_the_earlier_one_whatever_the_order_of_its_arguments() -> None:
    guard = CallGuard(Limits())
    guard.admit(step("a", x=1, y=2), pure=True, results=NO_RESULTS)
    assert guard.admit(step("b", y=2, x=1), pure=True, results=NO_RESULTS) == "a"


def test_the_same_call_may_run_again_after_something_may_have_changed() -> None:
    guard = CallGuard(Limits())
    guard.admit(step("a", x=1), pure=True, results=NO_RESULTS)
    guard.admit(step("b", tool="write"), pure=False, results=NO_RESULTS)
    assert guard.admit(step("c", x=1), pure=True, results=NO_RESULTS) is None
    assert guard.admit(step("d", x=1), pure=True, results=NO_RESULTS) == "c"


def test_an_effect_is_not_repeated_because_of_itself() -> None:
    guard = CallGuard(Limits())
    guard.admit(step("a", tool="pay", to="x"), pure=False, results=NO_RESULTS)
    assert guard.admit(step("b", tool="pay", to="x"), pure=False, results=NO_RESULTS) == "a"


def test_a_call_that_failed_may_be_made_again() -> None:
    guard = CallGuard(Limits())
    guard.admit(step("a", x=1), pure=True, results=NO_RESULTS)
    assert guard.admit(step("b", x=1), pure=True, results=result("a", ok=False)) is None


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["read", "write"]), st.integers(1, 2)), max_size=25),
    st.sets(st.integers(0, 24)),
)
def test_which_earlier_call_stands_for_another_follows_from_what_came_between(
    calls: list[tuple[str, str, int]], failed: set[int]
) -> None:
    guard = CallGuard(Limits(repeats=100))
    results = {StepId(f"s{i}"): result(f"s{i}", ok=False)[StepId(f"s{i}")] for i in failed}
    for i, (what, tool, x) in enumerate(calls):
        call = (tool, what, x)
        before = [k for k in range(i) if (calls[k][1], calls[k][0], calls[k][2]) == call]
        between = calls[before[-1] : i] if before else []
        changed = any(t == "write" and (t, w, n) != call for w, t, n in between)
        expected = f"s{before[-1]}" if before and not changed and before[-1] not in failed else None
        assert guard.admit(step(f"s{i}", tool, of=what, x=x), pure=tool == "read", results=results) == expected


def test_items_count_as_calls() -> None:
    guard = CallGuard(Limits(calls=5))
    each = step("a", x=1)
    guard.admit(each, pure=True, results=NO_RESULTS)
    with pytest.raises(LimitReached, match="for 6 items, and 5 of the run's limit of 5 calls are left"):
        guard.admit_items(each, 6)
    guard.admit_items(each, 4)
    guard.admit(step("b", x=2), pure=True, results=NO_RESULTS)
    with pytest.raises(LimitReached, match="made 5 calls"):
        guard.admit(step("c", x=3), pure=True, results=NO_RESULTS)


def test_a_step_without_items_was_a_call_too() -> None:
    guard = CallGuard(Limits(calls=2))
    guard.admit(step("a", x=1), pure=True, results=NO_RESULTS)
    guard.admit_items(step("a", x=1), 0)
    guard.admit(step("b", x=2), pure=True, results=NO_RESULTS)
    with pytest.raises(LimitReached, match="made 2 calls"):
        guard.admit(step("c", x=3), pure=True, results=NO_RESULTS)


def test_asking_for_the_same_call_too_often_ends_the_run() -> None:
    guard = CallGuard(Limits(repeats=3))
    for name in "abc":
        guard.admit(step(name, x=1), pure=True, results=NO_RESULTS)
    with pytest.raises(LimitReached, match="the same call of 'read' 4 times") as e:
        guard.admit(step("d", x=1), pure=True, results=NO_RESULTS)
    assert e.value.reason == "repeated_calls"


def test_too_many_calls_end_the_run() -> None:
    guard = CallGuard(Limits(calls=2))
    guard.admit(step("a", x=1), pure=True, results=NO_RESULTS)
    guard.admit(step("b", x=2), pure=True, results=NO_RESULTS)
    with pytest.raises(LimitReached, match="made 2 calls") as e:
        guard.admit(step("c", x=3), pure=True, results=NO_RESULTS)
    assert e.value.reason == "call_limit"


def ask(**changes: Any) -> TurnRequest:
    return TurnRequest(messages=(), **changes)


def test_a_request_that_fits_is_left_as_it_is() -> None:
    request = ask(max_tokens=500, thinking=200)
    assert Ledger(Limits(), context=4096).fit(request, prompt_tokens=1000) == request


def test_budgets_are_cut_to_what_the_context_leaves() -> None:
    fitted = Ledger(Limits(), context=2000).fit(ask(max_tokens=5000, thinking=5000), prompt_tokens=1000)
    assert (fitted.thinking, fitted.max_tokens) == (500, 500)


def test_budgets_are_cut_to_what_the_token_limit_leaves() -> None:
    ledger = Ledger(Limits(tokens=3000), context=0)
    ledger.add(Usage(turns=1, prompt_tokens=1500, output_tokens=300))
    assert ledger.fit(ask(max_tokens=5000), prompt_tokens=1000).max_tokens == 200


def test_a_prompt_that_does_not_fit_the_context_ends_the_run_with_numbers() -> None:
    with pytest.raises(LimitReached, match="2000 tokens and the context 2048") as e:
        Ledger(Limits(), context=2048).fit(ask(), prompt_tokens=2000)
    assert e.value.reason == "context_full"


def test_the_token_limit_counts_the_next_prompt() -> None:
    ledger = Ledger(Limits(tokens=1000), context=0)
    assert ledger.fit(ask(), prompt_tokens=1000 - MIN_OUTPUT).max_tokens == MIN_OUTPUT
    with pytest.raises(LimitReached, match="limit of 1000 tokens") as e:
        ledger.fit(ask(), prompt_tokens=1001 - MIN_OUTPUT)
    assert e.value.reason == "token_limit"


def test_too_many_turns_end_the_run() -> None:
    ledger = Ledger(Limits(turns=1), context=0)
    ledger.add(Usage(turns=1))
    with pytest.raises(LimitReached, match="1 model turn") as e:
        ledger.fit(ask(), prompt_tokens=1)
    assert e.value.reason == "turn_limit"


@pytest.mark.parametrize("field", ["turns", "calls", "tokens", "parallel", "repeats", "result_chars"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "3"])
def test_limits_that_make_no_sense_are_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"limit {field}={value!r}"):
        Limits(**{field: value})


def test_a_time_limit_must_be_positive() -> None:
    with pytest.raises(UsageError, match="limit time=0"):
        Limits(time=0)
    assert Limits(time=None).time is None
