"""Questions of commonsense and school science, most with listed choices."""

from distill.answers.rules import ListedChoiceAnswer, YesNoAnswer
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
  "arc_challenge",
  "arc_easy",
  "copa",
  "cqa",
  "mctaco",
  "openbookqa",
  "qasc",
  "quarel",
  "strategy_qa",
)

# ARC (Clark et al. 2018), both sets: school science in choices.
for _set in ("Challenge", "Easy"):
  register_family(
    Published(f"arc_{_set.lower()}", forms.listed, Tfds(f"ai2_arc/ARC-{_set}")),
    answer_rule=ListedChoiceAnswer(),
    prompt="few_shot_multiple_choice",
  )

# COPA (Roemmele et al. 2011): the likelier cause or effect. Test is SuperGLUE's
# validation: its test labels are not public.
register_family(
  Published(
    "copa",
    forms.copa,
    Tfds("super_glue/copa", {"train": "train", "test": "validation"}),
  ),
  answer_rule=ListedChoiceAnswer(),
  prompt="few_shot_multiple_choice",
)

# CommonsenseQA (Talmor et al. 2019): which of five choices fits best? Test is
# what others call validation: its test labels are not public.
register_family(
  Published(
    "cqa",
    forms.listed,
    Files(
      "distilling_step_by_step/cqa/cqa_{}.json",
      "github.com/google-research/distilling-step-by-step",
      {"train": "train", "test": "test"},
    ),
    others=(Tfds("cos_e", {"train": "train", "test": "validation"}),),
  ),
  answer_rule=ListedChoiceAnswer(),
  prompt="few_shot_cqa",
  rules=upstream.step_by_step("cqa"),
)

# MC-TACO (Zhou et al. 2019): is an answer about time plausible? Its authors
# train on what they call validation: there is no train split.
register_family(
  Published(
    "mctaco",
    forms.mctaco,
    Tfds("mctaco", {"train": "validation", "test": "test"}),
  ),
  answer_rule=YesNoAnswer(),
  prompt="few_shot_yes_no",
)

# OpenBookQA (Mihaylov et al. 2018): elementary science, four choices.
register_family(
  Published(
    "openbookqa",
    forms.openbookqa,
    Tfds("openbookqa"),
    others=(
      Files(
        "openbookqa/{}.jsonl",
        "allenai.org/data/open-book-qa",
        {"train": "train", "validation": "dev", "test": "test"},
      ),
      Files(
        "llm_adapters/openbookqa/{}.json",
        "github.com/AGI-Edgerunners/LLM-Adapters",
        {"train": "train", "test": "test"},
      ),
    ),
  ),
  answer_rule=ListedChoiceAnswer(),
  prompt="few_shot_multiple_choice",
)

# QASC (Khot et al. 2020): two facts to compose, eight choices. Test is the
# published validation: its test labels are not public.
register_family(
  Published(
    "qasc",
    forms.listed,
    Tfds("qasc", {"train": "train", "test": "validation"}),
  ),
  answer_rule=ListedChoiceAnswer(),
  prompt="few_shot_multiple_choice",
)

# QuaRel (Tafjord et al. 2019): stories about qualities, two choices.
register_family(
  Published(
    "quarel",
    forms.quarel,
    Files(
      "quarel/quarel-v1-{}.jsonl",
      "allenai.org/data/quarel",
      {"train": "train", "validation": "dev", "test": "test"},
    ),
  ),
  answer_rule=ListedChoiceAnswer(),
  prompt="few_shot_multiple_choice",
)

# StrategyQA (Geva et al. 2021): yes or no, by several facts. The second source
# has its rows in another order, so other rows in a split.
register_family(
  Published(
    "strategy_qa",
    forms.strategy_qa,
    Files("bigbench/strategyqa.json", "github.com/google/BIG-bench"),
    others=(
      Files(
        "strategyqa/train.json+strategyqa/dev.json",
        "github.com/eladsegal/strategyqa",
      ),
    ),
    choose=splits.seventy_thirty(2290),
  ),
  answer_rule=YesNoAnswer(),
  prompt="few_shot_yes_no",
  rules=upstream.fine_tune_cot("strategy_qa"),
)
