#!/usr/bin/env bash
# Makes the byte-level starter again, from procedural text, or an English one,
# from WordNet's glosses and e-SNLI's training inputs: docs/pretraining.md.
# A run that was stopped resumes.
# Usage: scripts/pretrain_starter.sh [FOLDER [FLAGS of distill train]]
#        scripts/pretrain_starter.sh english [FOLDER [FLAGS of pretrain_tokens]]
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup_env.sh

make_english() {
  local folder=${1:-english}
  shift || true
  mkdir -p "$folder"
  if [ ! -f "$folder/wn.dict.dz" ]; then
    (cd "$folder" && apt-get download dict-wn && dpkg -x dict-wn_*.deb package)
    mv "$folder/package/usr/share/dictd/wn.dict.dz" "$folder/"
  fi
  if [ ! -f "$folder/tokens.npy" ]; then
    .venv/bin/python scripts/english_tokens.py --output="$folder" \
      --task=esnli --dictionary="$folder/wn.dict.dz" --size=2900
  fi
  PYTHONPATH=. .venv/bin/python scripts/pretrain_tokens.py \
    --tokens="$folder/tokens.npy" --output="$folder-starter" \
    --vocab_size=3000 --embeddings=3072 --emb_dim=64 --num_heads=4 \
    --head_dim=16 --mlp_dim=128 --density=0.15 --mean_span=3 --inputs=64 \
    --targets=20 --steps=7000 --batch_size=32 "$@"
}

if [ "${1:-}" = english ]; then
  shift
  make_english "$@"
  exit
fi
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
