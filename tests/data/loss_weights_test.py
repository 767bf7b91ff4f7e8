"""Which groups weigh what, for tasks that teach one, both, or none of them."""

import gin
import pytest
import seqio

from distill import loss_groups
from distill.data import loss_weights, registration, views
from distill.errors import UserError

pytestmark = pytest.mark.usefixtures("byte_vocabulary", "family")


@pytest.fixture
def family(toy):
  """Registers 'toy', and a task of it that is unlearnt."""
  with toy.registered(toy.Dataset()):
    cot = seqio.TaskRegistry.get("toy_cot")
    unlearn = views.AddLossGroup(loss_groups.UNLIKELIHOOD)
    seqio.TaskRegistry.add(
      "toy_wrong",
      source=cot.source,
      preprocessors=[*cot.preprocessors[:-1], unlearn],
      output_features=registration.output_features(),
    )
    seqio.MixtureRegistry.add("toy_both_ways", ["toy_cot", "toy_wrong"], 1.0)
    yield
    seqio.MixtureRegistry.remove("toy_both_ways")
    seqio.TaskRegistry.remove("toy_wrong")


@pytest.mark.parametrize(
  "view, expected",
  [
    ("step_by_step", (1, 0.25, 0.75, 0)),
    ("label", (1, 1, 1, 0)),
    ("rationale", (1, 1, 1, 0)),
    ("cot", (1, 1, 1, 0)),
    ("finetune", (1, 1, 1, 0)),
    ("both_ways", (1, 1, 1, 0.125)),
  ],
)
def test_weights_are_those_of_the_groups_that_meet(view, expected):
  name = f"toy_{view}"
  own = {"unlikelihood_weight": 0.125}
  assert loss_weights.loss_group_weights(name, 0.25, **own) == expected
  assert loss_weights.final_loss_group_weights(name, 0.25, **own) == expected
  assert loss_weights.final_loss_group_weights(name, None) is None


def test_gin_can_ask_for_the_weights():
  gin.parse_config(
    """
    from __gin__ import dynamic_registration
    from distill.data import loss_weights
    loss_weights.loss_group_weights.mixture_or_task_name = 'toy_step_by_step'
    loss_weights.loss_group_weights.alpha = 1
    """
  )
  weights = gin.get_configurable(loss_weights.loss_group_weights)()
  assert weights == (1, 1, 0, 0)


@pytest.mark.parametrize("alpha", [-0.1, 1.5, "0.5", None])
def test_alpha_out_of_range(alpha):
  with pytest.raises(UserError, match="ALPHA") as error:
    loss_weights.loss_group_weights("toy_step_by_step", alpha)
  assert error.value.found == repr(alpha)


@pytest.mark.parametrize("weight", [-0.1, "1", None])
def test_unlikelihood_out_of_range(weight):
  with pytest.raises(UserError, match="UNLIKELIHOOD_WEIGHT") as error:
    loss_weights.loss_group_weights("toy_cot", 0.5, unlikelihood_weight=weight)
  assert error.value.found == repr(weight)


def test_examples_have_their_own_alpha_only_in_pairs():
  with pytest.raises(UserError, match="step_by_step_paired"):
    loss_weights.alpha_per_example(True, "toy_step_by_step")
  assert not loss_weights.alpha_per_example(False, "toy_step_by_step")
  assert not loss_weights.alpha_per_example(True, "toy_label")
  paired = "toy_step_by_step_paired"
  assert loss_weights.alpha_per_example(True, paired)
  assert loss_weights.loss_group_weights(paired, 0.25) == (1, 0.25, 0.75, 0)


def test_a_weight_of_no_group_is_refused():
  with pytest.raises(UserError, match="unlikelyhood_weight") as error:
    loss_weights.loss_group_weights("toy_cot", 0.5, unlikelyhood_weight=0.1)
  assert "unlikelihood_weight" in error.value.remedy
