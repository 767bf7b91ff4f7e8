"""Whether two names mean one model: servers add dates, paths and revisions."""

import re

_DATE = re.compile(
  r"[-@](\d{4}-\d{2}-\d{2}|\d{2}-\d{2}|\d{2}-\d{4}|\d{8}|\d{6}|\d{4}|\d{3})$"
)
# 'org/name@main', 'name:latest' and 'name:free', but not 'name:8b'.
_VARIANT = re.compile(r"@(?!\d{8}$)[\w.-]+$|:[a-z]\w*$|\.gguf$")
_ALIAS = "latest"


def is_same_model(said: str, wanted: str) -> bool:
  """Returns whether a server that calls itself `said` is the model `wanted`.

  Names are equal up to case, path, revision and a date that only one of them
  has. Behind an alias, 'name-latest', may be any model of its family.

  Args:
    said: What the server calls itself, '' where it says nothing.
    wanted: The model that was asked for.
  """
  if not said or said.casefold() == wanted.casefold():
    return True
  name, date = _parts(said)
  wanted_name, wanted_date = _parts(wanted)
  if wanted_date == _ALIAS:
    family, wanted_family = _family(name), _family(wanted_name)
    return family in wanted_family or wanted_family in family
  dates = {date, wanted_date} - {"", _ALIAS}
  return name == wanted_name and len(dates) < 2


def _parts(name: str) -> tuple[str, str]:
  """Returns a name without path, revision and date, and the date."""
  name = name.casefold().rstrip("/").rpartition("/")[2]
  name = _VARIANT.sub("", name)
  if name.endswith(f"-{_ALIAS}"):
    return name.removesuffix(f"-{_ALIAS}"), _ALIAS
  found = _DATE.search(name)
  return (name[: found.start()], found[1]) if found else (name, "")


def _family(name: str) -> str:
  """Returns the letters that a name starts with."""
  return re.match(r"[a-z]*", name)[0]  # type: ignore[index]
