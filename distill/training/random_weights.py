"""Random weights, without one program that draws all of them.

XLA takes seconds to minutes to compile a program that draws each weight of a
network. Most weights are of a few kinds, each with one initializer, one shape
and one sharding, and differ in their keys. Here one small program for each kind
is compiled, and called with the key of each weight.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
from jax.extend import core

# Flax makes the key of a weight of the key of all and a number, by its path.
_FOLD_IN = "random_fold_in"


def draw(
  init: Callable[[jax.Array], Any], key: jax.Array, shardings: Any
) -> Any:
  """Returns `init(key)`, bitwise what one jitted program returns.

  Args:
    init: A pure function. What its result does not depend on is not computed.
    key: A key of `jax.random.key`.
    shardings: The sharding of each array of the result.
  """
  traced, shapes = jax.make_jaxpr(init, return_shape=True)(key)
  jaxpr = traced.jaxpr
  known = dict(zip(jaxpr.constvars, traced.consts, strict=True))
  known |= dict(zip(jaxpr.invars, [key], strict=True))
  made_by: dict[Any, tuple[int, Any]] = {}
  for place, equation in enumerate(jaxpr.eqns):
    made_by |= {made: (place, equation) for made in equation.outvars}
    if equation.primitive.name == _FOLD_IN:
      parent, number = equation.invars
      if parent in known and isinstance(number, core.Literal):
        [own] = equation.outvars
        known[own] = jax.random.fold_in(known[parent], number.val)
  programs: dict[Any, Callable[..., list[jax.Array]]] = {}
  drawn = []
  placed = zip(jaxpr.outvars, jax.tree.leaves(shardings), strict=True)
  for weight, sharding in placed:
    part = _part_of(weight, made_by, known)
    kind = _identity(part), sharding
    if kind not in programs:
      function = core.jaxpr_as_fun(core.ClosedJaxpr(part, ()))
      programs[kind] = jax.jit(function, out_shardings=[sharding])
    drawn += programs[kind](*(known[given] for given in part.invars))
  return jax.tree.unflatten(jax.tree.structure(shapes), drawn)


def _part_of(
  weight: Any, made_by: Mapping[Any, tuple[int, Any]], known: Mapping[Any, Any]
) -> Any:
  """Returns the jaxpr that makes a weight of what is known."""
  given: dict[Any, None] = {}
  equations: dict[int, Any] = {}
  wanted = [weight]
  while wanted:
    value = wanted.pop()
    if isinstance(value, core.Literal):
      continue
    if value in known:
      given[value] = None
      continue
    place, equation = made_by[value]
    if place not in equations:
      equations[place] = equation
      wanted += equation.invars
  in_order = [equations[place] for place in sorted(equations)]
  return core.Jaxpr((), list(given), [weight], in_order)


def _identity(part: Any) -> tuple[str, tuple[int, ...]]:
  """Returns what is equal for two parts only if they are the same program.

  The text of a part does not show arrays in the functions that it calls, so
  their identities stand beside it. JAX traces equal calls once.
  """
  called = (
    id(inner)
    for equation in part.eqns
    for inner in core.jaxprs_in_params(equation.params)
  )
  return str(part), tuple(called)
