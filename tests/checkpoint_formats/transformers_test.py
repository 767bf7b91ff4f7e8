"""What T5X wrote computes in transformers what T5X computed from it.

Needs the extra `huggingface`; skipped where it is not installed.
"""

import json
import tarfile

import numpy as np
import pytest
from make_t5x_checkpoints import ARCHIVE, INPUTS, TARGETS, VARIANTS, shifted

from distill.checkpoint_formats import huggingface, loading

pytestmark = pytest.mark.huggingface
transformers = pytest.importorskip("transformers", reason="no [huggingface]")
torch = pytest.importorskip("torch", reason="no [huggingface]")


@pytest.mark.parametrize("variant", VARIANTS)
def test_logits_are_t5x_s(tmp_path, variant):
  with tarfile.open(ARCHIVE) as archive:
    archive.extractall(tmp_path, filter="data")
  expected = json.loads((tmp_path / "logits.json").read_text())[variant]
  (tmp_path / "exported").mkdir()
  huggingface.write(
    loading.open_checkpoint(tmp_path / f"{variant}_orbax"),
    tmp_path / "exported",
    VARIANTS[variant]["mlp_activations"],
  )
  model = transformers.T5ForConditionalGeneration.from_pretrained(
    tmp_path / "exported"
  )
  inputs = torch.tensor(INPUTS)
  with torch.no_grad():
    logits = model(
      input_ids=inputs,
      attention_mask=(inputs > 0).long(),
      decoder_input_ids=torch.tensor(shifted(TARGETS)),
    ).logits
  np.testing.assert_allclose(logits.numpy(), expected, atol=1e-5)
