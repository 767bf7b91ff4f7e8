"""IMDb reviews, tested on their contrast set (Gardner et al. 2020)."""

from distill.data import registration
from distill.data.published import Files, Published, Tfds, questions
from distill.teacher.answers import ChoiceAnswer

DATASET = Published(
  "imdb_contrast",
  questions.sentiment,
  (
    Files(
      {"test": ("imdb_contrast/test_contrast.tsv",)},
      home="github.com/allenai/contrast-sets",
    ),
    Tfds("imdb_reviews", {"train": "train"}),
  ),
)
registration.register_family(
  DATASET,
  answer_rule=ChoiceAnswer(("negative", "positive")),
  prompt="few_shot_sentiment",
)
