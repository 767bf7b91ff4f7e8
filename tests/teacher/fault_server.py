"""A local OpenAI-compatible server that fails on purpose, and counts.

`python fault_server.py --delay=0.05 --slots=256` prints its address and serves
until its input ends. The model's name says how it behaves: 'steady' answers,
'faulty' meets the first request of each prompt with one fault or none,
'always-<fault>' meets all with that fault, 'first-<fault>' each request's first
time. Some faults have a value: 'finish-length' ends so, 'wrapped-402' is an
error within HTTP 200, 'lacks-top_p,seed' refuses these parameters, 'named-x'
and 'says-x' answer as x and with x. GET /stats says what was served.
"""

import argparse
import asyncio
import hashlib
import json
import re
import sys
import zlib

from aiohttp import web

from distill.teacher import asking

FAULTS = (
  "429",
  "429-retry-after",
  "500",
  "503",
  "hang",
  "cut",
  "truncated-json",
  "malformed-json",
  "empty-choices",
  "drip",
  "huge",
  "none",
)


class Server:
  """Answers, fails and counts."""

  def __init__(self, delay, slots):
    self.delay, self.slots = delay, slots
    self.under_way = self.most = self.requests = self.refused = 0
    self.asked = {}
    self.fields = set()
    self.files, self.batches = {}, {}
    self.answered = {}

  async def handle(self, request):
    if "/batches" in request.path or "/files" in request.path:
      return await self.batch(request)
    if request.method == "GET":
      return web.json_response(self.stats())
    body = await request.json()
    self.requests += 1
    self.fields |= set(body)
    key = hashlib.sha256(json.dumps(body).encode()).hexdigest()
    self.asked[key] = self.asked.get(key, 0) + 1
    if self.under_way >= self.slots:
      self.refused += 1
      return error(429, "too many at once")
    self.under_way += 1
    self.most = max(self.most, self.under_way)
    try:
      await asyncio.sleep(self.delay)
      return await self.reply(request, body, key)
    finally:
      self.under_way -= 1

  async def batch(self, request):
    """The batch API: a batch is done when it is looked at the second time."""
    *_, kind, last = request.path.removesuffix("/content").split("/")
    if request.method == "GET" and request.path.endswith("/content"):
      return web.Response(text=self.files[last])
    if request.method == "GET" and last == "batches":
      return web.json_response(self.page(request.query))
    if request.method == "GET":
      batch = self.batches[last]
      reply = web.json_response(batch)
      if batch["status"] == "in_progress":
        batch["status"] = "completed"
      return reply
    id = f"{last}-{len(self.files) + len(self.batches)}"
    if last == "files":
      self.files[id] = (await request.post())["file"].file.read().decode()
      return web.json_response({"id": id})
    asked = await request.json()
    lines = self.files[asked["input_file_id"]].splitlines()
    done, failed = [], []
    for row in map(json.loads, lines):
      self.requests += 1
      body, key = row["body"], row["custom_id"]
      bad = body["model"] == "some-400" and not int(key[:8], 16) % 4
      reply = {"error": {"message": "bad"}} if bad else completion(body, "")
      if body["model"] == "some-null" and not int(key[:8], 16) % 4:
        reply["choices"][0]["message"]["content"] = None
      if body["model"] == "lacks-temperature" and "temperature" in body:
        bad, reply = True, {"error": {"message": "temperature: unsupported"}}
      response = {"status_code": 400 if bad else 200, "body": reply}
      line = json.dumps({"custom_id": key, "response": response})
      (failed if bad else done).append(line)
    if body["model"] == "refused-batch":
      errors = [{"code": "mismatch", "line": 2, "message": "no such model"}]
      self.batches[id] = {
        "id": id,
        "status": "failed",
        "metadata": asked["metadata"],
        "errors": {"object": "list", "data": errors},
      }
      return web.json_response(self.batches[id])
    self.files[f"{id}-out"] = "\n".join(reversed(done))
    self.files[f"{id}-err"] = "\n".join(failed)
    self.batches[id] = {
      "id": id,
      "status": "in_progress",
      "metadata": asked["metadata"],
      "output_file_id": f"{id}-out",
      "error_file_id": f"{id}-err" if failed else None,
    }
    return web.json_response(self.batches[id])

  def page(self, query):
    """Some batches, the newest first, as OpenAI lists them."""
    ids = list(reversed(self.batches))
    first = ids.index(query["after"]) + 1 if "after" in query else 0
    end = first + int(query.get("limit", 20))
    data = [self.batches[id] for id in ids[first:end]]
    return {"object": "list", "data": data, "has_more": end < len(ids)}

  def stats(self):
    return {
      "requests": self.requests,
      "distinct": len(self.answered),
      "most_answers_to_one": max(self.answered.values(), default=0),
      "answered": sum(self.answered.values()),
      "most_at_once": self.most,
      "refused": self.refused,
      "fields": sorted(self.fields),
    }

  async def reply(self, request, body, key):
    model = body["model"]
    fault = model.partition("-")[2]
    again = model.startswith("first-") and self.asked[key] > 1
    if model == "steady" or again:
      fault = "none"
    elif model == "faulty":
      first = self.asked[key] == 1
      fault = FAULTS[int(key[:8], 16) % len(FAULTS)] if first else "none"
    elif model.startswith("some-") and int(key[:8], 16) % 4:
      fault = "none"
    if fault == "none":
      # Before the reply: a client that was killed may have had it.
      self.answered[key] = self.answered.get(key, 0) + 1
      return web.json_response(completion(body, request.path))
    return await self.fail(fault, request, body)

  async def fail(self, fault, request, body):
    headers = request.headers
    if fault in ("429", "500", "503", "401", "404", "400"):
      return error(int(fault), f"fault {headers.get('Authorization')}")
    if fault == "429-retry-after":
      return error(429, "slow down", {"Retry-After": "0.2"})
    if fault == "redirect":
      return error(307, "", {"Location": f"{request.url.origin()}/elsewhere"})
    if fault == "no-schema":
      if "response_format" in body:
        return error(400, "response_format is not supported")
      return web.json_response(completion(body, request.path))
    if fault == "yes":
      text = json.dumps(completion(body, request.path))
      text = text.replace("Because", "Yes, because")
      return web.Response(text=text, content_type="application/json")
    if fault == "hang":
      await asyncio.sleep(3600)
    if fault == "cut":
      request.transport.abort()
      return web.Response()
    name, _, value = fault.partition("-")
    if name in ODD:
      return odd(name, value, body, completion(body, request.path))
    text = json.dumps(completion(body, request.path))
    if fault == "truncated-json":
      text = text[: len(text) // 2]
    if fault == "malformed-json":
      text = "<html>\x1b[31mnot JSON" + "[" * 100_000
    if fault == "null":
      text = re.sub('"content": ".*?"', '"content": null', text)
    if fault == "empty-choices":
      text = '{"choices": []}'
    if fault == "huge":
      text = text.replace("Because", "Because " + "so " * 3_500_000)
    if fault == "echo-key":
      text = text.replace("Because", str(headers.get("Authorization")))
    if fault == "drip":
      return await drip(request, text)
    return web.Response(text=text, content_type="application/json")


ODD = ("finish", "lacks", "named", "runs", "says", "wrapped")
NEXT = "\n\nQ: 1 + 1?\nA: 2. So the answer is 2."


def odd(name, value, body, reply):
  """A reply in one of the ways that servers have."""
  [choice] = reply["choices"]
  text = choice.get("text") or choice["message"]["content"]
  if name == "lacks":
    lacking = [each for each in value.split(",") if each in body]
    if lacking:
      instead = "Use 'max_completion_tokens'." * (lacking[0] == "max_tokens")
      return error(400, f"'{lacking[0]}' is not supported here. {instead}")
  if name == "wrapped":
    code = int(value) if value.isdigit() else value
    return web.json_response({"error": {"code": code, "message": "so it is"}})
  if name == "finish":
    choice["finish_reason"] = value
  if name == "named":
    reply["model"] = value
  if name == "says":
    text = value
  if name == "runs":
    text += NEXT
    choice["finish_reason"] = "length"
  if "message" in choice:
    choice["message"]["content"] = text
  else:
    choice["text"] = text
  return web.json_response(reply)


async def drip(request, text):
  response = web.StreamResponse()
  await response.prepare(request)
  for character in text:
    await response.write(character.encode())
    await asyncio.sleep(0.1)
  return response


def error(status, message, headers=None):
  text = json.dumps({"error": {"message": message, "code": "code"}})
  return web.Response(
    status=status, text=text, headers=headers, content_type="application/json"
  )


def completion(body, path):
  prompt = body.get("prompt") or body["messages"][0]["content"]
  # The same answer to the same request, another to another seed.
  number = zlib.crc32(f"{prompt}/{body.get('seed')}".encode())
  text = f" Because of {number}. So the answer is {number % 10}."
  choice = {"index": 0, "finish_reason": "stop"}
  if "messages" in body:
    choice["message"] = {"role": "assistant", "content": text}
  else:
    choice["text"] = text
  usage = {"prompt_tokens": len(prompt) // 4, "completion_tokens": 12}
  return {
    "object": "completion",
    "model": body["model"] + "@main",
    "choices": [choice],
    "usage": usage,
  }


async def main():
  parser = argparse.ArgumentParser()
  parser.add_argument("--delay", type=float, default=0.0)
  parser.add_argument("--slots", type=int, default=100_000)
  options = parser.parse_args()
  server = Server(options.delay, options.slots)
  runner = web.ServerRunner(web.Server(server.handle))
  await runner.setup()
  site = web.TCPSite(runner, "127.0.0.1", 0)
  await site.start()
  port = site._server.sockets[0].getsockname()[1]
  print(f"http://127.0.0.1:{port}/v1", flush=True)
  loop = asyncio.get_running_loop()
  await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
  asking.run(main())
