"""Measures requests to a teacher per second, each stored and parsed.

`python bench/ask_teacher.py` starts the tests' server (50 ms per response, 256
requests at a time) in another process and asks it through the journal, as
`distill cache ask` does. With `--slots` below `--concurrency` it also
measures the server's own limit: plain aiohttp with that number of concurrent
requests. With `--openai_python=PATH` it also measures the openai SDK, run by a
Python that has it; the SDK is not a dependency of this project.
"""

import argparse
import asyncio
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

import aiohttp
import measure

from distill.answers.rules import NumberAnswer
from distill.data.examples import Example
from distill.teacher import asking, collecting, prompts, styles
from distill.teacher.attempts import Collection
from distill.teacher.collecting import Reading
from distill.teacher.journal import Journal
from distill.teacher.limits import Limits
from distill.teacher.openai import OpenAITeacher

SERVER = pathlib.Path(__file__).parents[1] / "tests/teacher/fault_server.py"
SDK = """
import asyncio, openai, resource, sys, time
async def main(url, requests, concurrency):
  client = openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0)
  numbers = iter(range(requests))
  async def work():
    for number in numbers:
      await client.chat.completions.create(model="steady", max_tokens=256,
        messages=[{"role": "user", "content": f"Q: What is {number}?"}])
  begun = time.perf_counter()
  await asyncio.gather(*(work() for _ in range(concurrency)))
  wall = time.perf_counter() - begun
  usage = resource.getrusage(resource.RUSAGE_SELF)
  print(f"openai SDK: {requests / wall:,.0f} requests/s, "
        f"{1e3 * (usage.ru_utime + usage.ru_stime) / requests:.2f} ms CPU each")
asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""


def ask(url: str, requests: int, concurrency: int, few_shot: bool) -> str:
  """Returns the figures of sending a number of requests."""
  template = prompts.load_prompt("few_shot_svamp")
  if not few_shot:
    template = prompts.PromptTemplate("plain", "Q: {input}\nA:", "")
  style = styles.FewShot(template, NumberAnswer())
  questions = [Example(str(i), f"What is {i}?", "") for i in range(requests)]
  with tempfile.TemporaryDirectory() as folder, Journal(folder) as journal:
    collection = Collection(
      OpenAITeacher("steady", url),
      style,
      journal=journal,
      limits=Limits(max_concurrency=concurrency),
    )
    first = peak_mib()
    begun, cpu = time.perf_counter(), measure.cpu_seconds()
    failed = collecting.ask_all(questions, collection, "failed.jsonl")
    wall, cpu = time.perf_counter() - begun, measure.cpu_seconds() - cpu
    size = journal.path.stat().st_size / requests
    begun = time.perf_counter()
    reading = Reading(questions, collection, "train")
    parsed = sum(
      bool(one.completion.answer) for found in reading for one in found
    )
    back = time.perf_counter() - begun
  return (
    f"distill: {requests / wall:,.0f} requests/s,"
    f" {1000 * cpu / requests:.2f} ms CPU each; {failed.total()} failed,"
    f" {parsed:,} parsed; journal {size:,.0f} bytes each, read back at"
    f" {requests / back:,.0f}/s; peak memory {peak_mib():.0f} MiB,"
    f" {first:.0f} of them before asking"
  )


def peak_mib() -> float:
  """Returns the most memory that this process had, in MiB."""
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


async def ceiling(url: str, requests: int, slots: int) -> str:
  """Returns the most that the server answers, asked by nothing but HTTP."""
  numbers = iter(range(requests))
  connector = aiohttp.TCPConnector(limit=0)

  async def work(session: aiohttp.ClientSession) -> None:
    for number in numbers:
      message = {"role": "user", "content": f"Q: What is {number}?"}
      body = json.dumps({"model": "steady", "messages": [message]}).encode()
      async with session.post(f"{url}/chat/completions", data=body) as reply:
        reply.raise_for_status()
        await reply.read()

  begun = time.perf_counter()
  async with (
    aiohttp.ClientSession(connector=connector) as session,
    asyncio.TaskGroup() as group,
  ):
    for _ in range(slots):
      group.create_task(work(session))
  rate = requests / (time.perf_counter() - begun)
  return f"ceiling: {rate:,.0f} requests/s by plain aiohttp, {slots} at once"


def main(argv: Sequence[str]) -> None:
  """Prints a line for each client."""
  parser = argparse.ArgumentParser(allow_abbrev=False)
  parser.add_argument("--requests", type=int, default=20_000)
  parser.add_argument("--concurrency", type=int, default=256)
  parser.add_argument("--delay", type=float, default=0.05)
  parser.add_argument("--slots", type=int, default=256, help="the server's")
  parser.add_argument("--few_shot", action="store_true", help="long prompts")
  parser.add_argument("--openai_python", help="a Python with the openai SDK")
  options = parser.parse_args(argv)
  server = subprocess.Popen(
    [
      *(sys.executable, str(SERVER), f"--delay={options.delay}"),
      f"--slots={options.slots}",
    ],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
  )
  try:
    url = server.stdout.readline().strip() if server.stdout else ""
    numbers = options.requests, options.concurrency
    print(ask(url, *numbers, options.few_shot), flush=True)
    if options.slots < options.concurrency:
      most = ceiling(url, options.requests, options.slots)
      print(asking.run(most), flush=True)
    if options.openai_python:
      command = [options.openai_python, "-c", SDK, url, *map(str, numbers)]
      subprocess.run(command, check=True)
  finally:
    server.kill()
    server.wait()


if __name__ == "__main__":
  main(sys.argv[1:])
