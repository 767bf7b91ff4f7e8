"""The local server of tests/teacher, for tests of what asks it elsewhere."""

import importlib.util
import pathlib

_PATH = pathlib.Path(__file__).parents[1] / "teacher" / "conftest.py"
_SPEC = importlib.util.spec_from_file_location("teacher_conftest", _PATH)
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
start_server, server = _MODULE.start_server, _MODULE.server
