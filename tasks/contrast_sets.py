"""Datasets that are tested on their contrast sets (Gardner et al. 2020)."""

from distill.answers.rules import ChoiceAnswer, YesNoAnswer
from distill.data.published import Files, Published, Tfds, forms
from distill.data.registration import register_family

FAMILIES = ("boolq_contrast", "imdb_contrast")

# BoolQ (Clark et al. 2019): a passage answers yes or no.
register_family(
  Published(
    "boolq_contrast",
    forms.boolq,
    Tfds("bool_q", {"train": "train", "validation": "validation"}),
    others=(
      Files(
        "boolq_contrast/boolq_perturbed.json",
        "github.com/allenai/contrast-sets",
        {"test": ""},
        prepare=forms.perturbed_boolq,
      ),
    ),
  ),
  answer_rule=YesNoAnswer(),
  prompt="few_shot_yes_no",
)

# IMDb reviews (Maas et al. 2011): positive or negative.
register_family(
  Published(
    "imdb_contrast",
    forms.sentiment,
    Tfds("imdb_reviews", {"train": "train"}),
    others=(
      Files(
        "imdb_contrast/{}_contrast.tsv",
        "github.com/allenai/contrast-sets",
        {"test": "test"},
      ),
    ),
  ),
  answer_rule=ChoiceAnswer(("negative", "positive")),
  prompt="few_shot_sentiment",
)
