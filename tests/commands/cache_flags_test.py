"""The flags of asking: what they make, and what is refused."""

import pytest

from distill.answers.rules import YesNoAnswer
from distill.commands import cache_ask, cache_flags
from distill.data.examples import Choice
from distill.errors import UserError
from distill.teacher import prompts, styles
from distill.teacher.attempts import Collection
from distill.teacher.builtin.teacher import BuiltinTeacher
from distill.teacher.limits import Limits, RetryPolicy
from distill.teacher.openai import OpenAITeacher
from distill.teacher.prices import FREE, Price

SERVER = ("--teacher=openai", "--model=m", "--base_url=http://localhost:1/v1")


def parse(*flags):
  return cache_ask.make_parser().parse(["--task=coin_flip", *flags])


def make(*flags):
  options = parse(*flags)
  teacher = cache_flags.create_teacher(options)
  return cache_flags.collection(
    options, teacher, YesNoAnswer(), "few_shot_coin_flip"
  )


def test_without_flags_every_dataclass_has_its_defaults():
  template = prompts.load_prompt("few_shot_coin_flip")
  style = styles.FewShot(template, YesNoAnswer())
  assert make() == Collection(BuiltinTeacher(), style, price=FREE)
  assert cache_flags.choice(parse()) == Choice()
  assert make(*SERVER).teacher == OpenAITeacher("m", "http://localhost:1/v1")


def test_flags_reach_what_they_are_for():
  made = make(
    *(*SERVER, "--served_model=n", "--endpoint=completion", "--seed=4"),
    *('--extra_body={"top_k": 3}', "--stop=a", "--stop=", "--logprobs"),
    *("--temperature=0.5", "--top_p=0.9", "--max_tokens=9", "--samples=2"),
    *("--shuffle_exemplars=7", "--retry_wrong=2", "--hint_gold"),
    *("--max_concurrency=3", "--requests_per_minute=60", "--attempts=5"),
    *("--request_timeout=8", "--max_cost=2", "--price_in=1", "--price_out=2"),
    *("--verify_with=openai", "--verify_model=j", "--batch_api"),
    *("--verify_base_url=http://localhost:2", "--poll_seconds=0.5"),
    *("--verify_price_in=3", "--verify_price_out=4"),
  )
  teacher = made.teacher
  assert (teacher.served_model, teacher.endpoint) == ("n", "completion")
  assert teacher.extra_body == '{"top_k": 3}' and teacher.send_stop
  drawn = styles.Sampling(0.5, 9, ("a",), 0.9, 4, True)
  assert made.sampling == made.style.sampling == drawn
  assert made.style.shuffle_seed == 7 and made.samples == 2
  assert len(made.further.retries) == 2 and made.further.hint is not None
  assert made.limits == Limits(3, 60)
  assert made.policy == RetryPolicy(5, timeout=8)
  assert (made.max_cost, made.poll_seconds) == (2, 0.5)
  assert made.price == Price("m", 1, 2, "--price_in and --price_out")
  assert made.judge.teacher == OpenAITeacher("j", "http://localhost:2")
  assert (made.judge.price.input, made.judge.price.output) == (3, 4)
  chosen = parse("--fraction=0.5", "--data_seed=3", "--limit=6")
  assert cache_flags.choice(chosen) == Choice(0.5, 3, 6)


def test_a_message_has_the_flags_that_decide_a_caches_content():
  content = [
    *("--teacher=builtin", "--error_rate=0.5", "--flaw=irrelevant"),
    *("--verbosity=terse", "--max_tokens=9", "--stop=a b", "--stop=c"),
    *("--hint_gold", "--data_seed=3", "--num_shards=2", "--module=mine"),
  ]
  course = ["--max_cost=1", "--attempts=2", "--allow_failures", "--plan"]
  parser = cache_ask.make_parser()
  options = parser.parse(["--task=coin_flip", *content, *course])
  text = cache_flags.content_flags(options, parser)
  assert sorted(text.replace("'", "").split(" --")) == sorted(
    " ".join(content).split(" --")
  )
  assert cache_flags.content_flags(parse(), parser) == "--teacher=builtin"


@pytest.mark.parametrize(
  "flags, said",
  [
    (["--base_url=localhost:8000"], "not the address"),
    (["--api_key_env=NOT_SET"], "NOT_SET"),
    (["--endpoint=responses"], "chat, completion"),
    (["--top_p=2"], "at most 1"),
    (["--samples=0"], "--samples"),
    (["--samples=2"], "same greedy answer"),
    (["--samples=2", "--seed=1", "--plan"], "add --temperature"),
    (["--samples=2", "--temperature=1", "--top_p=0"], "same greedy answer"),
    (["--price_in=1"], "--price_in and --price_out"),
    (["--price_in=1", "--price_out=nan"], "--price_in and --price_out"),
    (["--max_cost=nan"], "--max_cost has an invalid value"),
    (["--extra_body=[]"], "--extra_body"),
    (['--extra_body={"model": "m"}'], "must not set 'model'"),
    (["--style=many_shot"], "zero_shot_two_step"),
    (["--error_rate=0.5"], "no option 'error_rate'"),
    (["--max_concurrency=0"], "--max_concurrency has an invalid value"),
    (["--attempts=x"], "--attempts"),
  ],
)
def test_an_invalid_value_is_refused(flags, said):
  with pytest.raises(UserError) as error:
    make(*SERVER, *flags)
  assert said in str(error.value)
