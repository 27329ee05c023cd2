# SPDX-License-Identifier: BSD-2-Clause
"""The results of tests: reading them from JUnit files, printing them as every script here does."""

import collections
import re
import xml.etree.ElementTree as ElementTree

# What XML 1.0 cannot hold; the names in these tests are full of it.
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# outcome: "passed", "failed" or "skipped"; detail: why
Result = collections.namedtuple("Result", "name outcome detail")


def junit_results(path):
    """The results in a JUnit file, as cmocka and pytest write it. Raises ParseError, OSError."""
    with open(path, encoding="utf-8", errors="replace") as file:
        suites = ElementTree.fromstring(NOT_XML.sub("\ufffd", file.read()))
    for case in suites.iter("testcase"):
        name = "::".join(filter(None, (case.get("classname"), case.get("name"))))
        outcome, detail = "passed", ""
        for element in case:
            if element.tag in ("failure", "error"):
                outcome, detail = "failed", element.text or element.get("message", "")
            elif element.tag == "skipped" and outcome == "passed":
                outcome, detail = "skipped", element.get("message") or "no reason given"
        yield Result(name, outcome, detail.strip())


def outcomes(results):
    return collections.Counter(result.outcome for result in results)


def summary(count):
    return f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped"


def print_failures(results):
    for result in results:
        if result.outcome == "failed":
            print(f"FAILED {result.name}")
            for line in result.detail.splitlines():
                print(f"    {line}")


def print_skips(results):
    by_reason = collections.defaultdict(list)
    for result in results:
        if result.outcome == "skipped":
            by_reason[result.detail].append(result.name)
    for reason, names in sorted(by_reason.items()):
        print(f"SKIPPED {len(names)}: {reason}")
        for name in names:
            print(f"    {name}")
