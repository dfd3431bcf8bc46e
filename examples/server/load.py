"""Send a server twice what it can do, and count what becomes of it: see README.md."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from pathlib import Path

import httpx

WARM_UP = 5.0  # in which it is measured what the server can do [s]
CLIENTS = 4  # that ask one after the other then: enough that the server never waits
PATIENCE = 30.0  # after which an answer counts as lost [s]


async def ask(client: httpx.AsyncClient, url: str, content: bytes) -> tuple[str, float]:
    """The status of one request, or how it was lost, and the time that it took [s]."""
    begun = time.perf_counter()
    try:
        answer = await client.post(url, content=content)
        status = str(answer.status_code)
    except httpx.HTTPError as error:
        status = f"lost: {type(error).__name__}"
    return status, time.perf_counter() - begun


async def capacity(client: httpx.AsyncClient, url: str, content: bytes, seconds: float) -> float:
    """Requests that are answered in a second by a server that always has some to answer."""
    until = time.perf_counter() + seconds

    async def keep_asking() -> int:
        count = 0
        while time.perf_counter() < until:
            status, _ = await ask(client, url, content)
            if status not in ("200", "503"):
                raise SystemExit(f"load: {url} answers {status}; is app.py running?")
            count += status == "200"
        return count

    begun = time.perf_counter()
    counts = await asyncio.gather(*(keep_asking() for _ in range(CLIENTS)))
    return max(sum(counts), 1) / (time.perf_counter() - begun)


async def measure(url: str, content: bytes, seconds: float, times: float) -> Counter[str]:
    """Send so many times what the server can do, and print what became of it."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=PATIENCE, limits=limits) as client:
        rate = await capacity(client, url, content, min(WARM_UP, seconds))
        print(f"it can do {rate:.1f} requests/s; now come {times:g} times as many")
        begun, asked = time.perf_counter(), []
        while (now := time.perf_counter()) < begun + seconds:
            for _ in range(round((now - begun) * rate * times) - len(asked)):
                asked.append(asyncio.create_task(ask(client, url, content)))
            await asyncio.sleep(0.005)
        answers = await asyncio.gather(*asked)
    found = Counter(status for status, _ in answers)
    took = sorted(duration for status, duration in answers if status == "200")
    print(f"{len(answers)} sent in {seconds:g} s: {dict(found)}")
    if took:
        middle, late = took[len(took) // 2], took[int(len(took) * 0.99)]
        print(f"answered: {len(took) / seconds:.1f}/s, p50 {middle:.3f} s, p99 {late:.3f} s")
    return found


def main() -> None:
    """Run the measurement; exit status 1 where a request was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image")
    parser.add_argument("--url", default="http://127.0.0.1:8000/depth")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--times", type=float, default=2, help="what the server can do")
    asked = parser.parse_args()
    try:
        content = Path(asked.image).read_bytes()
        found = asyncio.run(measure(asked.url, content, asked.seconds, asked.times))
    except OSError as error:
        parser.exit(2, f"load: {asked.image} cannot be read: {error.strerror}\n")
    except KeyboardInterrupt:
        parser.exit(130, "load: interrupted\n")
    sys.exit(bool(set(found) - {"200", "503"}))


if __name__ == "__main__":
    main()
