# SPDX-License-Identifier: BSD-2-Clause
"""A trainer that makes its input itself, in the thread of its steps."""
import argparse

import common


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    common.add_source_options(parser)
    common.add_loop_options(parser)
    options = parser.parse_args()
    common.train(common.Source(options).endless(), common.plain_step(options), options.seconds)


if __name__ == "__main__":
    main()
