"""Scrapes URLs in turn, a round every few seconds, as Prometheus would.

Runs by itself (`python3 -I -c …`, standard library only). Prints a line a URL and round: the HTTP status, and whether
the probe behind it succeeded (1, 0, or - where there is none).
"""

import sys
import time
import urllib.request


def scraped(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=4) as answer:
            text = answer.read().decode()
    except OSError as error:
        return f"0 - {url} {error}"
    success = next((line.split()[1] for line in text.splitlines() if line.startswith("probe_success ")), "-")
    return f"200 {success} {url}"


if __name__ == "__main__":
    every_s = float(sys.argv[1])
    due = time.monotonic()
    while True:
        for url in sys.argv[2:]:
            print(scraped(url), flush=True)
        due = max(due + every_s, time.monotonic())
        time.sleep(due - time.monotonic())
