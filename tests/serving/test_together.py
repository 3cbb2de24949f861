"""Many requests at once: each is answered as if it were alone, and none is lost."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Any

import httpx


def ask_all(url: str, questions: list[dict[str, Any]]) -> tuple[list[str], list[float]]:
    """Ask all at once; return the answers in order, and how many seconds each took."""

    async def ask(client: httpx.AsyncClient, body: dict[str, Any]) -> tuple[str, float]:
        began = time.perf_counter()
        response = await client.post("/v1/chat/completions", json=body)
        assert response.status_code == 200, response.text
        return response.json()["choices"][0]["message"]["content"], time.perf_counter() - began

    async def everything() -> list[tuple[str, float]]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits, trust_env=False) as client:
            return await asyncio.gather(*(ask(client, body) for body in questions))

    found = asyncio.run(everything())
    return [text for text, _ in found], [seconds for _, seconds in found]


def test_four_adapters_at_once_give_exactly_what_each_gives_alone(server, taught):
    drawn = {"temperature": 1.0, "max_tokens": 16}
    questions = [
        taught.question(text, model=model, seed=seed, **drawn)
        for seed, text in enumerate(("heart", "열이 나요", "lung cancer"))
        for model in (*taught.siblings, "base")
    ]
    greedy = [taught.question(t, model=m, max_tokens=12) for m in taught.words for t in taught.terms]
    alone = [server.post(json=q).json()["choices"][0]["message"]["content"] for q in (*questions, *greedy)]
    assert len(set(alone)) > len(questions), "answers that are all alike could not be mixed up"
    assert ask_all(server.url, [*questions, *greedy])[0] == alone


def test_of_200_concurrent_requests_none_is_lost_or_mixed_up(server, taught):
    """Every request has a seed of its own, so that almost every answer is another one."""
    questions = [
        taught.question(
            f"{taught.terms[n % 2]} {n}",
            model=taught.siblings[n % 4],
            seed=n,
            temperature=1.0,
            max_tokens=3 + n % 4,
        )
        for n in range(200)
    ]
    together, seconds = ask_all(server.url, questions)
    print(
        f"\n200 concurrent requests: p50 {statistics.median(seconds):.2f} s, "
        f"p99 {statistics.quantiles(seconds, n=100)[98]:.2f} s"
    )
    assert len(set(together)) > 150
    assert [
        server.post(json=q).json()["choices"][0]["message"]["content"] for q in questions[::8]
    ] == together[::8]
    assert server.load() == (0, 0)


def test_streams_at_once_are_not_mixed_up(server, taught):
    questions = [
        taught.question(
            "heart", model=taught.siblings[n % 4], seed=n, temperature=1.0, max_tokens=8, stream=True
        )
        for n in range(24)
    ]

    async def read(client: httpx.AsyncClient, body: dict[str, Any]) -> set[str]:
        lines = (await client.post("/v1/chat/completions", json=body)).text.splitlines()
        assert lines[-2] == "data: [DONE]"
        return {part.partition('"id": "')[2].partition('"')[0] for part in lines if "chatcmpl" in part}

    async def everything() -> list[set[str]]:
        async with httpx.AsyncClient(base_url=server.url, timeout=60, trust_env=False) as client:
            return await asyncio.gather(*(read(client, body) for body in questions))

    ids = asyncio.run(everything())
    assert all(len(each) == 1 for each in ids)
    assert len(set.union(*ids)) == 24
