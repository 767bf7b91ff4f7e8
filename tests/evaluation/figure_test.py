"""The picture: readable names, a panel a task."""

from matplotlib import image

from distill.evaluation import figure, report


def row(method, seed=0, value=50.0, task="last_letters"):
  return report.Result(
    task, method, 500, seed, "accuracy", value, 1800, 64000, 61.5
  )


def test_a_panel_for_each_task_and_room_for_each_method(tmp_path):
  names = ["finetune", "step_by_step, permuted rationales", "cot"]
  few = [row(names[0], seed, 40.0 + seed) for seed in range(3)]
  many = [row(name) for name in names]
  drawn = {}
  for name, rows in {
    "few": few,
    "many": many,
    "tasks": [*few, row("cot", task="coin_flip")],
  }.items():
    figure.draw(rows, str(tmp_path / f"{name}.png"))
    drawn[name] = image.imread(tmp_path / f"{name}.png").shape
  assert drawn["many"][0] > drawn["few"][0]
  assert drawn["tasks"][1] > drawn["few"][1]
