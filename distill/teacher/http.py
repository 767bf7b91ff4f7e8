"""An HTTP client for any teacher's API.

It limits the size of replies, follows no redirect, and keeps the key out of
messages and replies.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from distill.errors import UserError
from distill.teacher.interface import AskingError

if TYPE_CHECKING:
  import aiohttp

# More than any completion needs; an endless reply must not fill the memory.
_LONGEST_REPLY = 4 << 20
_CONNECT_SECONDS = 30
# Upper case only, so that a key given by mistake is refused and not stored.
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_JSON = {"Content-Type": "application/json"}


class Client:
  """Sends requests to one server.

  A time limit for a whole request is left to the caller.
  """

  def __init__(self, base_url: str, api_key_env: str = "") -> None:
    """Connects to nothing yet.

    Args:
      base_url: The address that paths are added to.
      api_key_env: The environment variable that holds the key, '' for no key.

    Raises:
      UserError: The address or the name of the variable is not one.
    """
    _check_url(base_url)
    if api_key_env and not _VARIABLE.fullmatch(api_key_env):
      raise UserError(
        "--api_key_env is not the name of an environment variable.",
        expected="a name in capitals, such as OPENAI_API_KEY, never a key",
      )
    self._base_url = base_url.rstrip("/")
    self._api_key_env = api_key_env
    self._key = ""
    self._session: aiohttp.ClientSession | None = None

  def prepare(self) -> None:
    """Reads the key from its variable; only a client that sends needs it.

    Raises:
      UserError: The variable holds no key.
    """
    if self._api_key_env:
      self._key = _read_key(self._api_key_env)

  async def exchange(
    self,
    method: str,
    path: str,
    data: bytes | aiohttp.FormData | None = None,
    longest: int = _LONGEST_REPLY,
  ) -> tuple[int, Any, bytes]:
    """Returns the status, headers and body of the server's reply.

    Args:
      method: GET or POST.
      path: After the base URL.
      data: JSON, or a form.
      longest: The most bytes that a reply may have.

    Raises:
      AskingError: There is no whole reply.
    """
    import aiohttp  # not at the start of each command

    body = bytearray()
    try:
      async with self._open().request(
        method,
        f"{self._base_url}/{path}",
        data=data,
        headers=_JSON if isinstance(data, bytes) else None,
        allow_redirects=False,
      ) as reply:
        async for chunk in reply.content.iter_any():
          body += chunk
          if len(body) > longest:
            reply.close()
            size = f"a reply of over {longest:,} bytes"
            raise AskingError("too_large", size, True)
    except TimeoutError:
      raise AskingError("timeout", "no answer in time", True) from None
    except (aiohttp.ClientError, OSError) as error:
      # Neither chained nor printed whole: it holds the request's headers.
      detail = self._hide(f"{type(error).__name__}: {error}")
      raise AskingError("connection", detail, True) from None
    content = bytes(body)
    if self._key and self._key.encode() in content:
      # A server that repeats the key must not get it into the journal.
      content = self._hide(content.decode("utf-8", "replace")).encode()
    return reply.status, reply.headers, content

  async def close(self) -> None:
    """Closes the connections."""
    if self._session is not None:
      await self._session.close()
      self._session = None

  def _open(self) -> aiohttp.ClientSession:
    import aiohttp

    if self._session is None:
      self.prepare()
      authorization = {"Authorization": f"Bearer {self._key}"}
      self._session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300),
        headers=authorization if self._key else {},
        timeout=aiohttp.ClientTimeout(
          total=None, sock_connect=_CONNECT_SECONDS
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
      )
    return self._session

  def _hide(self, text: str) -> str:
    return text.replace(self._key, "[key]") if self._key else text


def _check_url(url: str) -> None:
  """Raises UserError unless `url` is an address without anything secret."""
  parts = urlsplit(url)
  if parts.scheme not in ("http", "https") or not parts.hostname:
    raise UserError(
      "--base_url is not the address of a server.",
      expected="such as https://api.openai.com/v1 or http://localhost:8000/v1",
      found=url,
    )
  if parts.username or parts.password or parts.query or parts.fragment:
    raise UserError(
      "--base_url has more than an address in it.",
      expected="no user, password or query: addresses are kept and shown",
      remedy="put the key in a variable and name it by --api_key_env",
    )


def _read_key(variable: str) -> str:
  """Returns the key in an environment variable; no message repeats it."""
  key = os.environ.get(variable, "").strip()
  if not key:
    raise UserError(
      f"There is no key in the environment variable {variable}.",
      remedy=f"run `export {variable}=…`, or name another by --api_key_env",
    )
  if not (key.isascii() and key.isprintable()):
    raise UserError(
      f"The key in {variable} has characters that no key has.",
      expected="printable ASCII",
    )
  return key
