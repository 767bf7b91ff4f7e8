"""Which endings servers give to whole answers, and which to others."""

import pytest

from distill.answers import finish_reasons


@pytest.mark.parametrize(
  "reason",
  ["stop", "STOP", "eos", "eos_token", "end_turn", "endTurn", "stop_sequence",
   "STOP_SEQUENCE", "FINISH_REASON_STOP", "COMPLETE", "unknown", ""],
)  # fmt: skip
def test_a_whole_answer_has_one_of_the_known_endings(reason):
  assert finish_reasons.is_whole(reason)


@pytest.mark.parametrize(
  "reason",
  ["length", "LENGTH", "max_tokens", "MAX_TOKENS", "maxTokens", "model_length",
   "content_filter", "SAFETY", "error", "tool_calls", "abort", "new_reason"],
)  # fmt: skip
def test_all_other_endings_are_cut_short(reason):
  assert not finish_reasons.is_whole(reason)


def test_a_filter_and_an_error_are_known_in_any_spelling():
  for reason in (
    "content_filter",
    "CONTENT_FILTER",
    "content-filter",
    "SAFETY",
  ):
    assert finish_reasons.is_filtered(reason)
  assert not finish_reasons.is_filtered("length")
  assert finish_reasons.is_error("Error") and not finish_reasons.is_error("")


def test_of_several_steps_the_one_that_was_not_whole_counts():
  assert finish_reasons.joined(["stop", "MAX_TOKENS", "stop"]) == "MAX_TOKENS"
  assert finish_reasons.joined(["eos", "stop"]) == "stop"
