"""Names for ranges of numbers, for use in the annotations of parameters.

`gin_values` reads them from a function's source and checks what gin binds.
"""

from typing import Annotated

# The metadata is the least value.
PositiveInt = Annotated[int, 1]
NonNegativeInt = Annotated[int, 0]
