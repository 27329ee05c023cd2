/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a library has a function that it exports. The file is an untrusted user's, and may change while it is read: it is
 * read by pread() into buffers of fixed size (mapped, a file that becomes shorter would be a SIGBUS), with the hash table
 * that the dynamic linker itself uses. That takes a few reads where libelf and libbpf would go through all symbols: TensorFlow
 * exports 600,000.
 */
#ifndef WHYSTALL_COLLECT_ELF_SYMBOL_H
#define WHYSTALL_COLLECT_ELF_SYMBOL_H

#include <stdint.h>

/*
 * The offset in the file of function `name`. Returns 0; -ENOENT: it exports none; -ENOEXEC: it is no 64-bit ELF file of
 * this byte order with a GNU hash table, or it contradicts itself; or another negative errno of reading it.
 */
int elf_find_function(int fd, const char *name, uint64_t *offset);

#endif
