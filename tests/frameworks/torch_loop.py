# SPDX-License-Identifier: BSD-2-Clause
"""A PyTorch training loop: a DataLoader, forward and backward."""
import argparse
import os
import queue
import sys
import threading
import time

# On few processors that others use too, threads that spin for each other keep each other from running.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
import torch.distributed
import torch.utils.data

import common

FEATURES = 256


class Samples(torch.utils.data.Dataset):
    """Endless enough; each worker opens what it reads itself."""

    def __init__(self, options):
        self.options = options
        self.source = None

    def __len__(self):
        return self.options.epoch

    def __getitem__(self, index):
        if self.source is None:
            worker = torch.utils.data.get_worker_info()
            number, of = (worker.id, worker.num_workers) if worker else (0, 1)
            self.source = common.Source(self.options, number, of)
            torch.set_num_threads(1)
        self.source.sample()
        return torch.zeros(FEATURES)


def quiet_worker(_):
    common.die_with_parent()


def open_loader(options, **changed):
    options = argparse.Namespace(**{**vars(options), **changed})
    if options.in_memory:
        dataset = torch.utils.data.TensorDataset(torch.zeros(1, FEATURES).expand(options.epoch, FEATURES))
    else:
        dataset = Samples(options)
    arguments = {}
    if options.workers:
        arguments = {"prefetch_factor": options.prefetch, "worker_init_fn": quiet_worker,
                     "persistent_workers": not options.replace_workers, "multiprocessing_context": options.start}
    loader = torch.utils.data.DataLoader(
        dataset, batch_size=options.batch, num_workers=options.workers, **arguments)

    def endless():
        while True:
            for batch in loader:
                yield batch[0] if options.in_memory else batch
    return endless()


def relay(batches, depth):
    """What pin_memory does, which needs a GPU: a thread of the trainer copies what the workers hand over."""
    out = queue.Queue(depth)

    def copy():
        for batch in batches:
            out.put(batch.clone())
    threading.Thread(target=copy, daemon=True).start()
    while True:
        yield out.get()


def open_batches(options):
    if options.second_loader:
        # The first one reads, the second one computes; a step takes a batch of each.
        pair = zip(open_loader(options, cpu_ms=0), open_loader(options, reads=0, url=None))
        return (first + second for first, second in pair)
    batches = open_loader(options)
    return relay(batches, 2) if options.relay else batches


def real_step(options):
    """Forward and backward through a few layers, with all the threads that PyTorch takes."""
    width = options.width
    layers = [torch.nn.Linear(FEATURES, width), torch.nn.ReLU()]
    for _ in range(options.layers):
        layers += [torch.nn.Linear(width, width), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers)
    if options.ranks:
        model = torch.nn.parallel.DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
    plain = common.plain_step(options)

    def step(batch):
        # What a step costs does not hang on what the batch of the input costs.
        batch = batch.repeat(-(-options.rows // len(batch)), 1)[:options.rows]
        for _ in range(options.passes):
            optimizer.zero_grad()
            model(batch).sum().backward()
            optimizer.step()
        plain(batch)
        if options.checkpoint:
            torch.save(model.state_dict(), options.checkpoint)
            with open(options.checkpoint, "rb+") as file:
                os.fsync(file.fileno())
    return step


def ended_together(step, seconds):
    """All ranks take the same number of steps, or one waits for the other for ever."""
    end = None

    def together(batch):
        nonlocal end
        step(batch)
        end = end or time.time() + seconds
        enough = torch.tensor([float(time.time() > end)])
        torch.distributed.all_reduce(enough)
        if enough:
            raise common.Enough
    return together


def run(options):
    torch.set_num_threads(1 if options.ranks else options.step_threads)
    step = real_step(options) if options.passes else common.plain_step(options)
    seconds = options.seconds
    if options.ranks:
        step, seconds = ended_together(step, seconds), float("inf")
    common.train(open_batches(options), step, seconds)
    if options.ranks:
        torch.distributed.barrier()
    common.leave()


def launch(options):
    """Under torchrun, one trainer for each rank; it starts this script again."""
    os.environ["OMP_NUM_THREADS"] = "1"
    os.execv(sys.executable, [
        sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={options.ranks}",
        os.path.abspath(__file__), *sys.argv[1:]])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    common.add_source_options(parser)
    common.add_loop_options(parser)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--start", choices=["fork", "spawn", "forkserver"], default="fork", help="of the workers")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--prefetch", type=int, default=2, help="batches ahead, for each worker")
    parser.add_argument("--epoch", type=int, default=1 << 22, help="samples")
    parser.add_argument("--replace-workers", action="store_true", help="at each epoch's end")
    parser.add_argument("--in-memory", action="store_true", help="the data are a tensor")
    parser.add_argument("--second-loader", action="store_true")
    parser.add_argument("--relay", action="store_true", help="a thread as the one that pins memory")
    parser.add_argument("--passes", type=int, default=1, help="forward and backward, in a step; 0: no real step")
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--rows", type=int, default=16, help="of a step's batch")
    parser.add_argument("--step-threads", type=int, default=2)
    parser.add_argument("--checkpoint", help="written after each step")
    parser.add_argument("--ranks", type=int, default=0, help="with torchrun")
    options = parser.parse_args()
    if options.ranks and "TORCHELASTIC_RUN_ID" not in os.environ:
        launch(options)
    if options.ranks:
        torch.distributed.init_process_group("gloo")
    common.run_loop(run, options)


if __name__ == "__main__":
    main()
