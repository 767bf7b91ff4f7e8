"""Word problems and algebra: a number, an equation or a letter answers."""

from distill.answers.rules import ChoiceAnswer, ExpressionAnswer, NumberAnswer
from distill.data.published import (
  Files,
  Published,
  Tfds,
  forms,
  splits,
  upstream,
)
from distill.data.registration import register_family

FAMILIES = (
  "addsub",
  "aqua",
  "asdiv",
  "gsm8k",
  "multiarith",
  "single_eq",
  "svamp",
)

# AddSub (Hosseini et al. 2014), MultiArith (Roy and Roth 2015) and SingleEq
# (Koncel-Kedziorski et al. 2015): rows, file, and the name of another copy.
for _name, _rows, _file, _copy in (
  ("addsub", 395, "AddSub.json", "AddSub/addsub_1.json"),
  ("multiarith", 600, "MultiArith.json", "MultiArith/multiarith_1.json"),
  ("single_eq", 508, "questions.json", "SingleEq/singleeq_1.json"),
):
  register_family(
    Published(
      _name,
      forms.word_problem,
      Files(f"{_name}/{_file}", "github.com/kojima-takeshi188/zero_shot_cot"),
      others=(
        Files(
          f"llm_adapters/{_copy}", "github.com/AGI-Edgerunners/LLM-Adapters"
        ),
      ),
      choose=splits.seventy_thirty(_rows),
    ),
    answer_rule=NumberAnswer(),
    prompt="few_shot_math",
    rules=upstream.fine_tune_cot(_name),
  )

# AQuA-RAT (Ling et al. 2017): algebra, five choices.
register_family(
  Published(
    "aqua",
    forms.aqua,
    Files(
      "aqua/{}.json",
      "github.com/google-deepmind/AQuA",
      {"train": "train", "validation": "dev", "test": "test"},
    ),
    choose={"train": splits.subsample(10_000)},
  ),
  answer_rule=ChoiceAnswer(tuple("ABCDE")),
  prompt="few_shot_letter_choice",
  rules=upstream.fine_tune_cot("aqua"),
)

# ASDiv (Miao et al. 2020): word problems, to augment SVAMP.
register_family(
  Published(
    "asdiv",
    forms.asdiv,
    # Its authors publish folds only; this is SVAMP's rule.
    Files("asdiv/ASDiv.xml", "github.com/chaochun/nlu-asdiv-dataset"),
    choose=splits.eighty_twenty(2305),
  ),
  answer_rule=ExpressionAnswer(),
  prompt="few_shot_svamp",
  rules=upstream.step_by_step("asdiv"),
)

# GSM8K (Cobbe et al. 2021): school problems of several steps.
register_family(
  Published(
    "gsm8k",
    forms.gsm8k,
    Tfds("gsm8k", {"train": "train", "test": "test"}),
    others=(
      Files(
        "gsm8k/{}.jsonl",
        "github.com/openai/grade-school-math",
        {"train": "train", "test": "test"},
      ),
    ),
  ),
  answer_rule=NumberAnswer(),
  prompt="few_shot_math",
  rules=upstream.fine_tune_cot("gsm8k"),
)

# SVAMP (Patel et al. 2021): the equation that solves a word problem.
register_family(
  Published(
    "svamp",
    forms.svamp,
    Files("svamp/SVAMP.json", "github.com/arkilpatel/SVAMP"),
    choose=splits.eighty_twenty(1000),
  ),
  answer_rule=ExpressionAnswer(),
  prompt="few_shot_svamp",
  rules=upstream.step_by_step("svamp"),
)
