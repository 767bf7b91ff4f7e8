"""Shuffled objects: the label follows each swap."""

from distill.data.procedural.tracking_shuffled_objects import (
  TrackingShuffledObjects,
)


def test_the_label_is_what_the_person_holds_after_all_swaps():
  dataset = TrackingShuffledObjects(sizes={"train": 300}, people=4, swaps=5)
  for row in dataset.examples("train"):
    text, label = row.input, row.label
    start, *swaps, question = text.removesuffix("?").split(". ")
    start = start.replace(" holds the ", " the ")
    holds = dict(pair.split(" the ") for pair in start.split(", "))
    assert len(swaps) == 5 and len(set(holds.values())) == 4
    for swap in swaps:
      a, b = swap.removesuffix(" swap").split(" and ")
      holds[a], holds[b] = holds[b], holds[a]
    assert label == holds[question.split()[2]]
