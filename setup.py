"""Packaging of distill: the library, the tasks and the gin files."""

import pathlib
import re

import setuptools

ROOT = pathlib.Path(__file__).parent
PACKAGE = (ROOT / "distill/__init__.py").read_text()
[VERSION] = re.findall(r'^__version__ = "(.+)"$', PACKAGE, re.MULTILINE)


setuptools.setup(
  name="distill-jax",
  version=VERSION,
  description="Distilling step-by-step for T5 on JAX: rationales of a large"
  " language model train a small one",
  long_description=(ROOT / "README.md").read_text(),
  long_description_content_type="text/markdown",
  author="The distill-jax authors",
  license_expression="Apache-2.0",
  license_files=["LICENSE"],
  keywords=[
    "distilling step-by-step",
    "knowledge distillation",
    "rationales",
    "chain of thought",
    "T5",
    "T5X",
    "SeqIO",
    "JAX",
    "TPU",
  ],
  classifiers=[
    "Development Status :: 4 - Beta",
    "Environment :: Console",
    "Intended Audience :: Developers",
    "Intended Audience :: Science/Research",
    "Operating System :: POSIX :: Linux",
    "Programming Language :: Python :: 3 :: Only",
    "Programming Language :: Python :: 3.11",
    "Programming Language :: Python :: 3.12",
    "Programming Language :: Python :: 3.13",
    "Topic :: Scientific/Engineering :: Artificial Intelligence",
    "Typing :: Typed",
  ],
  project_urls={
    "Paper": "https://arxiv.org/abs/2305.02301",
    "T5X": "https://github.com/google-research/t5x",
  },
  python_requires=">=3.11,<3.14",
  packages=setuptools.find_namespace_packages(
    include=["distill", "distill.*", "tasks", "tasks.*", "gin_configs*"]
  ),
  package_data={
    "": ["*.gin", "*.txt", "*.toml", "py.typed"],
    "distill.reporting": ["*.html", "*.css", "*.js"],
    "distill.starters.bytes": ["*"],
  },
  install_requires=[
    "absl-py",
    "aiohttp",
    "clu",
    "flax>=0.12",
    "gin-config",
    # tensorflow-datasets imports it to prepare a dataset, and does not say so.
    "importlib_resources",
    "jax>=0.10",
    "jinja2",
    "matplotlib",
    "numpy",
    "optax",
    "orbax-checkpoint>=0.12",
    "rich",
    "safetensors",
    "scipy",
    # 0.2.3 needs protobuf 7 and does not say so; other packages hold it at 6.
    "sentencepiece<0.2.3",
    "seqio>=0.0.20",
    # clu's writer needs it since TensorFlow 2.21 stopped bringing it.
    "tensorboard",
    "tensorflow-datasets",
    # A fifth off the CPU of each request to a teacher; Orbax brings it too.
    "uvloop",
  ],
  extras_require={
    # For completion of commands and flags in the shell: `distill --help`.
    "completion": ["argcomplete"],
    # For METRIC_WRITERS (docs/methods.md).
    "mlflow": ["mlflow-skinny"],
    "wandb": ["wandb"],
    # For --runner=beam (docs/teachers.md): it holds protobuf below 7, pillow
    # below 13, pyarrow below 26 and python-dateutil below 3. It reads and
    # writes TFRecords with google-crc32c, and does not say so.
    "beam": ["apache-beam>=2.77", "google-crc32c"],
    # The TPU compiler, for `distill plan` (docs/scaling.md); `jax[tpu]` brings
    # it too. It has 700 MB.
    "plan": ["libtpu"],
    # For the documentation as a static site: scripts/docs.sh.
    "docs": ["mkdocs-material"],
    # For datasets of Hugging Face and Parquet files: docs/datasets.md.
    "hf": ["datasets"],
    # For the tests of what is exported; never needed to train or to convert.
    "huggingface": [
      "ctranslate2",
      "sentencepiece<0.2.3",
      "torch",
      "transformers",
    ],
    # What T5X, airio and jestimator import from PyPI and this project does not;
    # the three are not on it: docs/t5x.md.
    "t5x": [
      "cached_property",
      "chex",
      "fiddle",
      "grain",
      "jaxtyping",
    ],
    "test": [
      "argcomplete",
      "build",
      "hypothesis",
      "mypy",
      # With Debian's chromium; the tests of the report page skip without it.
      "playwright",
      "pytest",
      "pytest-xdist",
      "ruff",
      "setuptools>=77",
    ],
  },
  entry_points={"console_scripts": ["distill=distill.cli:main"]},
)
