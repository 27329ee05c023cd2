/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's type information, cut down to what the BPF programs use. libbpf walks over all of it for each
 * type that the programs name: 126,000 types, 60 times, were 70 ms of a start.
 */
#ifndef WHYSTALL_COLLECT_CORE_BTF_H
#define WHYSTALL_COLLECT_CORE_BTF_H

struct btf;

/*
 * Write to the file `fd` the types of `kernel` that have the name of one of `programs`, and what they contain;
 * what is behind pointers is left out. Returns 0 or a negative errno.
 */
int core_btf_write(int fd, const struct btf *programs, struct btf *kernel);

#endif
