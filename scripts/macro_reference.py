"""Prints docs/macros.md: every gin macro, from the files that define them."""

from distill import gin_files, gin_run

_INTRODUCTION = """\
# Gin macros

`python scripts/macro_reference.py` writes this page from the files of
`gin_configs/macros`; a test fails if they differ. Set a macro by
`--gin.NAME=value` on the command line or by `NAME = value` in a gin file. The
same macros configure this project's trainer and [T5X](t5x.md). `--help` with a
`--gin_file` lists the macros of one experiment; `--print_config` prints the
values of a whole command line. The files of `models/` also set
`MODEL`, and `OPTIMIZER`, which is `@adafactor()` or `@adamw()`.
"""


def page() -> str:
  """Returns the page."""
  parts = [_INTRODUCTION]
  for path in sorted((gin_run.GIN_CONFIGS / "macros").glob("*.gin")):
    name = f"macros/{path.name}"
    survey = gin_files.Survey(gin_run.search_path())
    survey.add_file(name)
    title = path.read_text().splitlines()[0].removeprefix("# ")
    title = title.removesuffix(".").removesuffix(", for both engines")
    parts.append(f"## {title}\n\n`gin_configs/{name}`\n")
    parts.append("| macro | default | meaning |\n|---|---|---|")
    for macro, found in survey.defined.items():
      if not found.where.startswith(f"{path},"):
        continue  # Of an included file, which has a section of its own.
      value = "required" if found.required else f"`{found.value!r}`"
      parts.append(f"| `{macro}` | {value} | {found.comment} |")
    parts.append("")
  return "\n".join(parts)


if __name__ == "__main__":
  print(page(), end="")
