#!/usr/bin/env python3
"""Takes the vendor's sample requests of the six tracking calls out of the reference page, as their clients send them.

    python scripts/extract_corpus.py REFERENCE.txt tests/corpus/

Writes one JSON file a sample (6 calls, each in Ruby, PHP, curl and Node) and, verbatim, the part of the page they
stand in. The key stands in for `{{username}}`, Node's path arrays are joined and its `querystring.stringify` is
computed; nothing else is changed. `{{base_url}}` is whoever the request is sent to.
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

KEY = "571e64183647a855d0sgf3a3"
FIRST_LINE, LINE_AFTER = "Web Data Tracking", "JavaScript library"
TITLES = {
    "web-init": "Initialize web tracking session",
    "web-send": "Send web tracking data",
    "mobile-init": "Mobile Initialize tracking session",
    "mobile-send": "Send mobile tracking screenview",
    "mobile-sensors": "Send mobile tracking sensors",
    "mobile-geo": "Send mobile tracking geolocation",
}
END_OF_SAMPLES = "The above command returns"
QUOTED = r"""(?:'([^']*)'|"([^"]*)")"""


@dataclass(frozen=True)
class Dialect:
    """Where a language's sample begins, and what in it holds the parts of the request."""

    begins: str
    method: str
    url: str
    header: str
    body: str


DIALECTS = {
    "ruby": Dialect(
        begins=r"""require ['"]uri['"]""",
        method=r"Net::HTTP::(Post|Put)\.new",
        url=rf"URI\({QUOTED}\)",
        header=rf"request\[{QUOTED}\] = {QUOTED}",
        body=rf"request\.body = {QUOTED}",
    ),
    "php": Dialect(
        begins=r"\$curl = curl_init\(\);",
        method=rf"CURLOPT_CUSTOMREQUEST => {QUOTED}",
        url=rf"CURLOPT_URL => {QUOTED}",
        header=r'^\s*"([^":]+): ([^"]*)"',
        body=rf"CURLOPT_POSTFIELDS => {QUOTED}",
    ),
    "curl": Dialect(
        begins=r"curl --",
        method=r"--request (\w+)",
        url=rf"(?:--url|--request \w+) {QUOTED}",
        header=r"""--header ['"]([^:]+): ([^'"]*)['"]""",
        body=rf"--data {QUOTED}",
    ),
    "node": Dialect(
        begins=r"var qs = require",
        method=rf"""['"]method['"]: {QUOTED}""",
        url=r"""['"]path['"]: (\[[^\]]*\]|'[^']*')""",
        header=rf"""['"]headers['"]: \{{\s*{QUOTED}: {QUOTED}\s*\}}""",
        body=r"qs\.stringify\(\{(.*?)\}\)",
    ),
}


@dataclass(frozen=True)
class Sample:
    """A request. `headers` are those the sample itself sets; `chunked`: its client tells no length beforehand."""

    name: str
    call: str
    language: str
    method: str
    path: str
    headers: dict[str, str]
    chunked: bool
    body: str


def tracking_part(page: str) -> str:
    """The lines of the page from "Web Data Tracking" up to "JavaScript library"."""
    lines = page.splitlines(keepends=True)
    bare = [line.rstrip() for line in lines]
    end = bare.index(LINE_AFTER) if LINE_AFTER in bare else len(lines)
    return "".join(lines[bare.index(FIRST_LINE) : end])


def samples(part: str) -> Iterator[Sample]:
    for call, title in TITLES.items():
        section = part[part.index(f"\n{title}\n") :]
        section = section[: section.index(END_OF_SAMPLES)]
        for language, code in _by_language(section):
            yield _sample(call, language, code.replace("{{username}}", KEY))


def _by_language(section: str) -> Iterator[tuple[str, str]]:
    begins = [_first(dialect.begins, section).start() for dialect in DIALECTS.values()]
    for language, begin, end in zip(DIALECTS, begins, [*begins[1:], len(section)], strict=True):
        yield language, section[begin:end]


def _sample(call: str, language: str, code: str) -> Sample:
    dialect = DIALECTS[language]
    method, url, body = (_text(pattern, code) for pattern in (dialect.method, dialect.url, dialect.body))
    headers = dict(_groups(header) for header in re.finditer(dialect.header, code, re.MULTILINE))
    if node := language == "node":
        url = "/" + "/".join(_strings(url)).removeprefix("/")
        body = stringify(_properties(body))
    path = urlsplit(url.replace("{{base_url}}", "//base_url" if "://" not in url else "base_url")).path
    return Sample(f"{call}-{language}", call, language, method.upper(), path, headers, node, body)


def stringify(properties: dict[str, str]) -> str:
    """Node's querystring.stringify: UTF-8, and `encodeURIComponent`'s characters left as they are."""
    return "&".join(f"{_escape(name)}={_escape(value)}" for name, value in properties.items())


def _escape(text: str) -> str:
    return quote(text, safe="-_.!~*'()")


def _properties(literal: str) -> dict[str, str]:
    """A flat object literal's properties in their order; numbers as JavaScript prints them."""
    pairs = re.findall(r"(?:'([^']*)'|(\w+)):\s*(?:'([^']*)'|([\d.]+))", literal)
    return {quoted or bare: text or f"{float(number):.15g}" for quoted, bare, text, number in pairs}


def _strings(literal: str) -> list[str]:
    return [single or double for single, double in re.findall(QUOTED, literal)]


def _first(pattern: str, text: str) -> re.Match[str]:
    if found := re.search(pattern, text, re.DOTALL):
        return found
    raise SystemExit(f"The page has another shape than expected: {pattern} is not in\n{text[:400]}")


def _text(pattern: str, code: str) -> str:
    return _groups(_first(pattern, code))[0]


def _groups(found: re.Match[str]) -> list[str]:
    """What was found, whichever quotes stood around it."""
    return [group for group in found.groups() if group]


def write(reference: Path, directory: Path) -> int:
    """Writes the page's part and the samples; tells how many."""
    part = tracking_part(reference.read_text())
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "reference-tracking.txt").write_text(part)
    found = list(samples(part))
    for sample in found:
        (directory / f"{sample.name}.json").write_text(json.dumps(asdict(sample), indent=2) + "\n")
    return len(found)


if __name__ == "__main__":
    count = write(Path(sys.argv[1]), Path(sys.argv[2]))
    print(f"{count} samples in {sys.argv[2]}")
