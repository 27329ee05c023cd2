# SPDX-License-Identifier: BSD-2-Clause
"""Loads for the what-ifs, drawn by a seeded generator: a loop, and how it is really run without a cause."""
import math
import random
import typing

import grid
from surroundings import disk, fuse, limit, memory, object_server, real_folder


class Really(typing.NamedTuple):
    """What is changed, of the options (None: left out) and of what stands around."""
    options: dict
    around: typing.Optional[tuple] = None  # None: as it was


class Load(typing.NamedTuple):
    name: str
    script: str
    options: dict
    around: tuple
    changes: dict  # what-if: Really

    def case(self, really=Really({}), seconds=8):
        options = {"seconds": seconds, **self.options, **really.options}
        words = [self.script]
        for key, value in options.items():
            if value is True:
                words.append(f"--{key}")
            elif value is not None:
                words += [f"--{key}", str(value)]
        return grid.Case(self.name, " ".join(words), "", self.around if really.around is None else really.around)


IN_MEMORY = Really({}, (memory(),))


def between(draw, low, high):
    """As likely near one end as near the other one, also where they are far apart."""
    return float(f"{math.exp(draw.uniform(math.log(low), math.log(high))):.2g}")


def twice(options):
    return Really({"workers": 2 * options["workers"]})


def reader(draw, serial=False, **more):
    options = {"file": "{file}", "reads": draw.randint(1, 2), "cpu-ms": draw.choice([0, between(draw, 0.5, 5)]),
               "step-ms": between(draw, 1, 15), "workers": draw.randint(1, 4), **more}
    changes = {"storage": IN_MEMORY, "workers_x2": twice(options)}
    if options["cpu-ms"]:
        changes["cpu"] = Really({"cpu-ms": 0})
    return "processes.py", options, (fuse(int(1000 * between(draw, 2, 20)), serial=serial),), changes


def serial_server(draw):
    return reader(draw, serial=True)


def relay(draw):
    return reader(draw, shape="relay")


def executor(draw):
    return reader(draw, shape="executor", prefetch=16)


def bursts(draw):
    script, options, around, changes = reader(draw, shape="bursts", rare=between(draw, 0.05, 0.2))
    options["reads"] = draw.randint(4, 10)
    changes.pop("cpu", None)
    return script, options, around, changes


def computing(draw):
    options = {"cpu-ms": between(draw, 3, 15), "step-ms": between(draw, 1, 10), "workers": draw.randint(1, 3)}
    return "processes.py", options, (), {"cpu": Really({"cpu-ms": 0}), "workers_x2": twice(options)}


def throttled(draw):
    options = {"file": "{file}", "reads": 1, "read-kib": 128, "cpu-ms": draw.choice([0, between(draw, 0.5, 3)]),
               "step-ms": between(draw, 1, 6), "workers": draw.randint(1, 3)}
    changes = {"storage": IN_MEMORY, "workers_x2": twice(options)}
    if options["cpu-ms"]:
        changes["cpu"] = Really({"cpu-ms": 0})
    return "processes.py", options, (disk(), limit(draw.randint(5, 20))), changes


def locked(draw):
    script, options, around, changes = reader(draw, shape="locked")
    options["workers"] = draw.randint(2, 4)
    return script, options, around, {"storage": changes["storage"], "lock": Really({"shape": "shared-queue"}),
                                     "workers_x2": twice(options)}


def unlike(draw, shape):
    options = {"shape": shape, "file": "{file}", "reads": 1, "cpu-ms": between(draw, 1, 12),
               "step-ms": between(draw, 1, 6)}
    return ("processes.py", options, (fuse(int(1000 * between(draw, 2, 15))),),
            {"storage": IN_MEMORY, "cpu": Really({"cpu-ms": 0})})


def in_order(draw):
    return unlike(draw, "in-order")


def zipped(draw):
    return unlike(draw, "zipped")


def turns(draw):
    options = {"shape": "turns", "file": "{file}", "reads": 1, "cpu-ms": draw.choice([0, between(draw, 1, 5)]),
               "step-ms": between(draw, 2, 10)}
    return ("processes.py", options, (fuse(int(1000 * between(draw, 2, 10))),),
            {"storage": IN_MEMORY, "prefetch": Really({"shape": "shared-queue", "workers": 1})})


def checkpoint(draw):
    options = {"cpu-ms": between(draw, 0.2, 2), "step-ms": between(draw, 0.5, 5), "workers": 1,
               "checkpoint": "{folder}/model", "checkpoint-kib": draw.choice([256, 1024, 4096])}
    return ("processes.py", options, (real_folder,),
            {"checkpoint": Really({"checkpoint": None}), "cpu": Really({"cpu-ms": 0})})


def network(draw):
    options = {"url": "{url}", "cpu-ms": draw.choice([0, between(draw, 0.5, 4)]), "step-ms": between(draw, 2, 12),
               "workers": draw.randint(1, 3)}
    return ("processes.py", options, (object_server(between(draw, 5, 30)),),
            {"network": Really({"url": None}), "workers_x2": twice(options)})


def own(draw):
    options = {"file": "{file}", "reads": draw.randint(1, 3), "cpu-ms": draw.choice([0, between(draw, 0.5, 4)]),
               "step-ms": between(draw, 1, 10)}
    return "own.py", options, (fuse(int(1000 * between(draw, 1, 8))),), {"storage": IN_MEMORY}


def threads(draw):
    options = {"file": "{file}", "reads": draw.randint(1, 2), "step-ms": between(draw, 1, 10),
               "workers": draw.randint(1, 4)}
    return ("threads.py", options, (fuse(int(1000 * between(draw, 2, 15))),),
            {"storage": IN_MEMORY, "workers_x2": twice(options)})


def interpreter_lock(draw):
    options = {"cpu-ms": between(draw, 3, 10), "step-cpu-ms": between(draw, 1, 4), "workers": draw.randint(2, 3)}
    return "threads.py", options, (), {"workers_x2": twice(options)}


def torch_reader(draw):
    options = {"file": "{file}", "reads": 1, "batch": draw.choice([1, 2, 4]), "cpu-ms": draw.choice([0, 1]),
               "step-threads": 1, "workers": draw.randint(1, 3)}
    return ("torch_loop.py", options, (fuse(int(1000 * between(draw, 3, 25))),),
            {"storage": IN_MEMORY, "workers_x2": twice(options)})


def torch_computing(draw):
    options = {"batch": draw.choice([1, 2, 4]), "cpu-ms": between(draw, 1, 6), "step-ms": between(draw, 2, 10),
               "step-threads": 1, "workers": 1}
    return "torch_loop.py", options, (), {"cpu": Really({"cpu-ms": 0}), "workers_x2": twice(options)}


def tf_reader(draw):
    calls = draw.randint(1, 4)
    options = {"file": "{file}", "batch": draw.choice([1, 2, 4]), "step-ms": between(draw, 2, 10), "parallel": calls,
               "pool": calls + 2}
    return ("tf_loop.py", options, (fuse(int(1000 * between(draw, 4, 30)), **grid.SMALL_FILE),),
            {"storage": Really({}, (memory(**grid.SMALL_FILE),)),
             "workers_x2": Really({"parallel": 2 * calls, "pool": 2 * calls + 2})})


def tf_computing(draw):
    options = {"pixels": draw.choice([512, 1024]), "parallel": 1, "batch": draw.choice([1, 2]),
               "step-ms": between(draw, 2, 10), "rows": 8}
    return "tf_loop.py", options, (), {"cpu": Really({"pixels": 0}), "workers_x2": Really({"parallel": 2})}


KINDS = (reader, serial_server, computing, throttled, locked, in_order, torch_reader, tf_reader, turns, bursts,
         checkpoint, network, own, threads, interpreter_lock, relay, executor, zipped, torch_computing, tf_computing)


def loads(seed, count):
    """The first so many, all kinds by turns. The same seed draws the same."""
    draw = random.Random(seed)
    drawn = []
    while len(drawn) < count:
        kind = KINDS[len(drawn) % len(KINDS)]
        name = f"{kind.__name__.replace('_', '-')}-{len(drawn) // len(KINDS) + 1}"
        drawn.append(Load(name, *kind(draw)))
    return drawn
