"""Which names a server may answer by."""

import pytest

from distill.teacher.model_names import is_same_model


@pytest.mark.parametrize(
  "wanted, said",
  [
    ("gpt-4o", ""),
    ("gpt-4o", "GPT-4o"),
    ("gpt-4o", "gpt-4o-2024-08-06"),
    ("gpt-4o-2024-08-06", "gpt-4o"),
    ("gpt-4", "gpt-4-0613"),
    ("gemini-2.0-flash", "models/gemini-2.0-flash-001"),
    ("claude-3-5-sonnet-20241022", "claude-3-5-sonnet@20241022"),
    ("org/name", "name"),
    ("name", "/models/name/"),
    ("org/name", "org/name@main"),
    ("name", "other/name@0a1b2c3"),
    ("llama3", "llama3:latest"),
    ("org/name:free", "org/name"),
    ("name", "/models/name.gguf"),
    ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022"),
    ("mistral-large-latest", "mistral-large-2411"),
    ("gemini-flash-latest", "gemini-2.5-flash-preview-09-2025"),
  ],
)
def test_dates_paths_and_revisions_make_no_other_model(wanted, said):
  assert is_same_model(said, wanted)


@pytest.mark.parametrize(
  "wanted, said",
  [
    ("gpt-4", "gpt-4o-mini-2024-07-18"),
    ("gpt-4o", "gpt-4o-mini"),
    ("gpt-4o-mini", "gpt-4o"),
    ("gpt-4", "gpt-4-turbo"),
    ("gpt-4o-2024-08-06", "gpt-4o-2024-05-13"),
    ("text-davinci-003", "text-davinci-002"),
    ("llama3:8b", "llama3:70b"),
    ("llama-3-8b", "llama-3-70b"),
    ("claude-3-5-sonnet-latest", "gpt-4o"),
    ("a", "ab"),
  ],
)
def test_another_model_is_another_model(wanted, said):
  assert not is_same_model(said, wanted)
