#!/usr/bin/env bash
# Makes the byte-level starter again, from procedural text: docs/pretraining.md.
# A run that was stopped resumes.
# Usage: scripts/pretrain_starter.sh [FOLDER [FLAGS of distill train]]
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup_env.sh
folder=${1:-starter}
shift || true
mkdir -p "$folder"
if [ ! -f "$folder/text.txt" ]; then
  .venv/bin/python -c "
from distill.data import procedural_text
print('\n'.join(procedural_text.lines(250_000)))" > "$folder/text.partial"
  mv "$folder/text.partial" "$folder/text.txt"
fi
.venv/bin/python -m distill.train --gin_file=runs/pretrain.gin \
  --gin_file=models/mini_byte.gin --gin.TEXT_FILES="'$folder/text.txt'" \
  --gin.TASK_FEATURE_LENGTHS="{'inputs': 96, 'targets': 32}" \
  --gin.NOISE_DENSITY=0.2 --gin.MEAN_SPAN_LENGTH=4.0 --gin.PACK=False \
  --gin.TRAIN_STEPS=12000 --gin.BATCH_SIZE=32 --gin.LEARNING_RATE=0.01 \
  --gin.DROPOUT_RATE=0.0 --gin.MODEL_DIR="'$folder/model'" "$@"
rm -rf "$folder/bytes"
.venv/bin/python -m distill convert --input="$folder/model" \
  --output="$folder/bytes" --format=huggingface --dtype=bfloat16 \
  --license=apache-2.0
sha256sum "$folder/bytes/model.safetensors"
