"""`python -m distill <command>`."""

from distill import cli

if __name__ == "__main__":
  cli.main()
