"""BoolQ, tested on its contrast set (Gardner et al. 2020)."""

from distill.answers.rules import YesNoAnswer
from distill.data import registration
from distill.data.published import Files, Published, Tfds, forms

registration.register_family(
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
