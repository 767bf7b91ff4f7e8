"""The former address of the answer rules, kept for users' own families."""

from distill.answers.rules import *  # noqa: F403
