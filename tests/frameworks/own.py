# SPDX-License-Identifier: BSD-2-Clause
"""A trainer that makes its input itself, in the thread of its steps."""
import argparse

import common


def run(options):
    common.train(common.Source(options).endless(), common.plain_step(options), options.seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    common.add_source_options(parser)
    common.add_loop_options(parser)
    common.run_loop(run, parser.parse_args())


if __name__ == "__main__":
    main()
