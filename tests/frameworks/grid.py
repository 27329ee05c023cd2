# SPDX-License-Identifier: BSD-2-Clause
"""The grid: every load, what stands around it, and the verdict that it must have. docs/frameworks.md says where a new
case goes."""
import typing

from surroundings import (disk, fuse, hogs, limit, neighbour, object_server, one_cpu, real_folder)

VENV, SYSTEM = "the pinned frameworks", "the distribution's PyTorch"


class Case(typing.NamedTuple):
    name: str
    loop: str  # the script and its options; {names} come from the surroundings
    expect: typing.Union[str, tuple]  # the class; or those that are right alike
    around: tuple = ()
    share: bool = True  # the waiting share is compared
    sample: bool = False  # belongs to the part that CI runs
    attach: bool = False  # in mid-run, with -p
    python: str = VENV
    trainers: int = 1

    @property
    def classes(self):
        return (self.expect,) if isinstance(self.expect, str) else self.expect

    @property
    def marked(self):
        """An input marker sees all of the call for the next batch, also where the caller works itself."""
        return self.loop.startswith("tf_loop.py")


# Real steps take 2 to 5 ms on two processors; LONG ones 30 ms and more, so that handing over a batch of nothing is less
# than 5 % of the time.
TORCH_LONG = "--rows 1024 --batch 8"
TF_LONG = "--rows 1024 --batch 8"
SMALL_FILE = {"kibibytes": 64}
EITHER_CPU = ("cpu", "runqueue", "mixed")  # where both the work and the want of processors are large

PROCESSES = [
    Case("storage-slow-reads", "processes.py --file {file} --reads 1 --step-ms 1", "storage", (fuse(5000),),
         sample=True),
    Case("storage-serial-server", "processes.py --file {file} --reads 1 --step-ms 1 --workers 3", "storage",
         (fuse(3000, serial=True),), sample=True),
    Case("storage-buffered-throttled", "processes.py --file {file} --reads 1 --read-kib 128 --step-ms 2", "storage",
         (disk(), limit(10)), sample=True),
    Case("storage-mmap-throttled", "processes.py --file {file} --reads 1 --read-kib 128 --how mmap --step-ms 2",
         "storage", (disk(), limit(10)), sample=True),
    Case("storage-direct-throttled", "processes.py --file {file} --reads 1 --read-kib 128 --how direct --step-ms 2",
         "storage", (disk(), limit(10)), sample=True),
    Case("storage-and-little-cpu", "processes.py --file {file} --reads 2 --cpu-ms 1 --step-ms 1", "storage",
         (fuse(5000),)),
    Case("storage-half-cpu-half", "processes.py --file {file} --reads 1 --cpu-ms 5 --step-ms 1 --workers 1", "mixed",
         (fuse(5000),)),
    Case("storage-one-worker-moderate", "processes.py --file {file} --reads 1 --step-ms 5 --workers 1", "storage",
         (fuse(6000),)),
    Case("storage-beside-hogs", "processes.py --file {file} --reads 1 --step-ms 1", "storage", (fuse(10000), hogs(2)),
         sample=True),
    Case("storage-attached", "processes.py --file {file} --reads 1 --step-ms 1", "storage", (fuse(5000),), attach=True,
         sample=True),
    Case("storage-loop-in-thread", "processes.py --file {file} --reads 1 --step-ms 1 --loop-in-thread", "storage",
         (fuse(5000),)),
    Case("cpu", "processes.py --cpu-ms 10 --step-ms 2 --workers 1", "cpu", sample=True),
    Case("cpu-with-reads", "processes.py --file {file} --reads 1 --cpu-ms 10 --step-ms 2 --workers 1", "cpu",
         (fuse(500),)),
    Case("cpu-attached", "processes.py --cpu-ms 10 --step-ms 2 --workers 1", "cpu", attach=True),
    Case("cpu-noisy-neighbour", "processes.py --file {file} --reads 1 --cpu-ms 10 --step-ms 2 --workers 1", "cpu",
         (disk(), neighbour), sample=True),
    Case("cpu-one-processor", "processes.py --cpu-ms 10 --step-ms 2 --workers 1", "cpu", (one_cpu,)),
    Case("cpu-spinning-trainer", "processes.py --cpu-ms 20 --step-cpu-ms 2 --workers 2", EITHER_CPU),
    Case("runqueue-many-workers", "processes.py --cpu-ms 20 --workers 8", "runqueue", sample=True),
    Case("runqueue-one-processor", "processes.py --cpu-ms 10 --step-ms 1 --workers 4", "runqueue", (one_cpu,)),
    # The kernel may group processes by session (autogroup), and keep processors for the job.
    Case("runqueue-beside-hogs", "processes.py --cpu-ms 10 --step-ms 1 --workers 2", EITHER_CPU, (hogs(6),)),
    Case("turns-storage", "processes.py --shape turns --file {file} --reads 1 --step-ms 5", "pipeline", (fuse(5000),),
         sample=True),
    Case("turns-cpu", "processes.py --shape turns --cpu-ms 6 --step-ms 6", "pipeline"),
    Case("in-order-slow-disk", "processes.py --shape in-order --file {file} --reads 1 --cpu-ms 3 --step-ms 1",
         "storage", (fuse(12000),), sample=True),
    Case("in-order-slow-cpu", "processes.py --shape in-order --file {file} --reads 1 --cpu-ms 12 --step-ms 1", "cpu",
         (fuse(3000),)),
    Case("out-of-order-unlike", "processes.py --shape out-of-order --file {file} --reads 1 --cpu-ms 12 --step-ms 1",
         "mixed", (fuse(12000),), sample=True),
    Case("zipped-slow-disk", "processes.py --shape zipped --file {file} --reads 1 --cpu-ms 3 --step-ms 1", "storage",
         (fuse(12000),)),
    Case("zipped-slow-cpu", "processes.py --shape zipped --file {file} --reads 1 --cpu-ms 12 --step-ms 1", "cpu",
         (fuse(3000),)),
    Case("lock-around-read", "processes.py --shape locked --file {file} --reads 1 --step-ms 1 --workers 4", "lock",
         (fuse(4000),), sample=True),
    Case("lock-around-read-and-cpu", "processes.py --shape locked --lock-cpu --file {file} --reads 1 --cpu-ms 3 "
         "--step-ms 1 --workers 4", "lock", (fuse(3000),)),
    Case("relay-thread", "processes.py --shape relay --file {file} --reads 1 --step-ms 1", "storage", (fuse(5000),)),
    Case("executor-cpu", "processes.py --shape executor --cpu-ms 10 --step-ms 2 --workers 1", "cpu"),
    Case("executor-storage", "processes.py --shape executor --file {file} --reads 1 --step-ms 1", "storage",
         (fuse(8000),)),
    Case("bursts", "processes.py --shape bursts --file {file} --reads 20 --step-ms 2", "storage", (fuse(5000),),
         sample=True),
    Case("executor-fed", "processes.py --shape executor --prefetch 16 --workers 4 --file {file} --reads 2 --cpu-ms 1 "
         "--step-ms 10", "not-input-bound", (fuse(4000),)),
    Case("network", "processes.py --url {url} --step-ms 1", "network", (object_server(10),), sample=True),
    Case("checkpoint", "processes.py --cpu-ms 0.1 --step-ms 0.1 --checkpoint {folder}/model --checkpoint-kib 2048",
         "checkpoint", (real_folder,), sample=True, share=False),  # it waits for less than a millisecond between writes
    Case("writing-child-fed", "processes.py --cpu-ms 1 --step-ms 10 --writer {folder}/model", "not-input-bound",
         (real_folder,)),
    Case("writing-child-starved", "processes.py --file {file} --reads 1 --step-ms 1 --writer {folder}/model", "storage",
         (fuse(5000), real_folder)),
    Case("fed", "processes.py --cpu-ms 2 --step-ms 10", "not-input-bound", sample=True),
    Case("fed-back-pressure", "processes.py --file {file} --reads 1 --step-ms 10", "not-input-bound", (fuse(5000),),
         sample=True),
    Case("fed-noisy-neighbour", "processes.py --file {file} --reads 1 --step-ms 10", "not-input-bound",
         (disk(), neighbour)),
    Case("fed-warm-cache", "processes.py --file {file} --reads 1 --read-kib 128 --warm --step-ms 5", "not-input-bound",
         (disk(warm=True), limit(10))),
    Case("own-storage", "own.py --file {file} --reads 1 --step-ms 3", "storage", (fuse(5000),), sample=True),
    Case("own-cpu", "own.py --cpu-ms 8 --step-ms 3", "unknown"),
]

THREADS = [
    Case("threads-interpreter-lock", "threads.py --cpu-ms 5 --step-cpu-ms 2 --workers 3", "lock", share=False,
         sample=True),
    # Held for less than 5 ms at a time it leaves no trace: docs/verdict.md, Limits.
    Case("threads-interpreter-lock-no-step", "threads.py --cpu-ms 15 --step-ms 2 --workers 3", "lock", share=False),
    Case("threads-reads", "threads.py --file {file} --reads 1 --step-ms 1", "storage", (fuse(5000),), sample=True),
    Case("threads-reads-fed", "threads.py --file {file} --reads 1 --step-ms 12", "not-input-bound", (fuse(5000),)),
    Case("threads-executor-reads", "threads.py --executor --file {file} --reads 1 --step-ms 1", "storage",
         (fuse(5000),)),
    # They might as well be part of its step.
    Case("threads-cpu-without-lock", "threads.py --hash-ms 10 --step-ms 2 --workers 1", "unknown"),
    Case("threads-network", "threads.py --url {url} --step-ms 1", "network", (object_server(15),)),
    Case("threads-loop-in-thread", "threads.py --file {file} --reads 1 --step-ms 1 --loop-in-thread", "storage",
         (fuse(5000),)),
]

TORCH = [
    Case("torch-fork-storage", "torch_loop.py --file {file} --reads 1", "storage", (fuse(20000),), sample=True),
    Case("torch-spawn-storage", "torch_loop.py --start spawn --file {file} --reads 1", "storage", (fuse(20000),)),
    Case("torch-forkserver-storage", "torch_loop.py --start forkserver --file {file} --reads 1", "storage",
         (fuse(20000),)),
    Case("torch-throttled", "torch_loop.py --file {file} --reads 1 --read-kib 128", "storage", (disk(), limit(6))),
    Case("torch-in-memory", f"torch_loop.py --in-memory {TORCH_LONG}", "not-input-bound", sample=True),
    Case("torch-in-memory-one-processor", f"torch_loop.py --in-memory {TORCH_LONG} --step-threads 1",
         "not-input-bound",
         (one_cpu,)),
    Case("torch-in-memory-relay", f"torch_loop.py --in-memory --relay {TORCH_LONG}", "not-input-bound"),
    Case("torch-back-pressure", "torch_loop.py --file {file} --reads 1 --rows 1024 --workers 4",
         "not-input-bound", (fuse(3000),)),
    Case("torch-no-workers-storage", "torch_loop.py --workers 0 --file {file} --reads 1", "storage", (fuse(5000),),
         sample=True),
    Case("torch-no-workers-cpu", "torch_loop.py --workers 0 --cpu-ms 5", "unknown"),
    Case("torch-no-workers-in-memory", f"torch_loop.py --workers 0 --in-memory {TORCH_LONG}",
         ("not-input-bound", "unknown")),
    Case("torch-cpu", "torch_loop.py --workers 1 --cpu-ms 8 --step-threads 1", "cpu", sample=True),
    # Inside next() the trainer is preempted too, which is no wait for input.
    Case("torch-runqueue", "torch_loop.py --workers 8 --cpu-ms 5 --rows 8 --step-threads 1", "runqueue", share=False),
    Case("torch-network", "torch_loop.py --url {url}", "network", (object_server(20),)),
    Case("torch-relay", "torch_loop.py --relay --file {file} --reads 1", "storage", (fuse(30000),), sample=True),
    Case("torch-two-loaders", "torch_loop.py --second-loader --workers 1 --file {file} --reads 1 --cpu-ms 1",
         "storage",
         (fuse(20000),)),
    Case("torch-checkpoint", "torch_loop.py --in-memory --rows 8 --checkpoint {folder}/model.pt --width 1024",
         "checkpoint", (real_folder,)),
    Case("torch-loop-in-thread", "torch_loop.py --loop-in-thread --file {file} --reads 1", "storage", (fuse(20000),)),
    Case("torch-attached", "torch_loop.py --file {file} --reads 1", "storage", (fuse(20000),), attach=True),
    Case("torch-replaced-workers", "torch_loop.py --replace-workers --epoch 200 --file {file} --reads 1 --rows 8",
         ("storage", "unknown"), (fuse(15000),)),
    Case("torchrun-storage", "torch_loop.py --ranks 2 --workers 1 --file {file} --reads 1 --width 128", "storage",
         (fuse(20000),), trainers=2, sample=True),
    Case("torchrun-in-memory", "torch_loop.py --ranks 2 --workers 1 --in-memory --rows 1024 --batch 8",
         "not-input-bound", trainers=2),
    Case("torch-system-storage", "torch_loop.py --file {file} --reads 1 --width 128 --rows 8", "storage",
         (fuse(20000),), python=SYSTEM),
    Case("torch-system-in-memory", "torch_loop.py --in-memory --rows 64", "not-input-bound", python=SYSTEM),
]

TENSORFLOW = [
    Case("tf-storage", "tf_loop.py --file {file}", "storage", (fuse(40000, **SMALL_FILE),), sample=True),
    Case("tf-fit-storage", "tf_loop.py --fit --file {file}", "storage", (fuse(40000, **SMALL_FILE),),
         sample=True),
    Case("tf-throttled", "tf_loop.py --records --file {file} --read-kib 128", "storage", (disk(), limit(6))),
    Case("tf-in-memory", f"tf_loop.py --in-memory {TF_LONG}", "not-input-bound", sample=True),
    Case("tf-fit-in-memory", f"tf_loop.py --fit --in-memory {TF_LONG}", "not-input-bound", sample=True),
    Case("tf-back-pressure", "tf_loop.py --file {file} --rows 1024 --batch 2", "not-input-bound",
         (fuse(5000, **SMALL_FILE),)),
    Case("tf-cpu", "tf_loop.py --pixels 1024 --parallel 1 --rows 8", "cpu", sample=True),
    Case("tf-fit-cpu", "tf_loop.py --fit --pixels 1024 --parallel 1 --rows 8", "cpu"),
    Case("tf-large-pool", "tf_loop.py --file {file} --parallel 8 --pool 32 --batch 8", "storage",
         (fuse(60000, **SMALL_FILE),)),
    Case("tf-runqueue", "tf_loop.py --pixels 1024 --parallel 8 --pool 8 --rows 8", EITHER_CPU),
    Case("tf-no-prefetch", "tf_loop.py --prefetch 0 --parallel 1 --file {file} --batch 1 --rows 8", "storage",
         (fuse(10000, **SMALL_FILE),)),
    Case("tf-no-prefetch-turns", "tf_loop.py --prefetch 0 --parallel 1 --file {file} --batch 1 --rows 8 --step-ms 10",
         ("pipeline", "storage"), (fuse(10000, **SMALL_FILE),)),
    Case("tf-loop-in-thread", "tf_loop.py --loop-in-thread --file {file}", "storage",
         (fuse(40000, **SMALL_FILE),)),
]

GRID = PROCESSES + THREADS + TORCH + TENSORFLOW
