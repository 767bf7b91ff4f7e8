"""IMDb reviews, tested on their contrast set (Gardner et al. 2020)."""

from distill.answers.rules import ChoiceAnswer
from distill.data import registration
from distill.data.published import Files, Published, Tfds, forms

registration.register_family(
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
