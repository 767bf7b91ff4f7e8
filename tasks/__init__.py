"""The datasets: importing this registers every family's tasks."""

import importlib
import pkgutil

from distill.data import registration

# A module registers the families that its `FAMILIES` names.
__all__ = sorted(module.name for module in pkgutil.iter_modules(__path__))

for _name in __all__:
  importlib.import_module(f"{__name__}.{_name}")

# ASDiv's questions with a teacher's labels, for SVAMP (Hsieh et al. 2023, 4.4).
registration.register_augmented("svamp", "asdiv")
