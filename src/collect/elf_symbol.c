// SPDX-License-Identifier: BSD-2-Clause
#include "collect/elf_symbol.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* Above what linkers make; a longer chain in the hash table is somebody's joke. */
enum { MAX_SEGMENTS = 64, MAX_DYNAMIC = 256, MAX_CHAIN = 4096, MAX_NAME = 256 };

struct image {
	int fd;
	Elf64_Phdr segments[MAX_SEGMENTS];
	unsigned int segment_count;
	uint64_t hash, symbols, strings; /* addresses; 0: not told */
};

/* All of it, or -ENOEXEC. */
static int read_at(int fd, void *out, size_t size, uint64_t offset)
{
	ssize_t n;

	if (offset > INT64_MAX - size)
		return -ENOEXEC;
	n = pread(fd, out, size, (off_t)offset);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -ENOEXEC;
}

/* The segment that has this address in the file. */
static const Elf64_Phdr *find_segment(const struct image *image, uint64_t address)
{
	for (unsigned int i = 0; i < image->segment_count; i++) {
		const Elf64_Phdr *segment = &image->segments[i];

		if (segment->p_type == PT_LOAD && address >= segment->p_vaddr &&
		    address - segment->p_vaddr < segment->p_filesz &&
		    segment->p_offset <= INT64_MAX - segment->p_filesz)
			return segment;
	}
	return NULL;
}

static int read_address(const struct image *image, void *out, size_t size, uint64_t address)
{
	const Elf64_Phdr *segment = find_segment(image, address);

	if (!segment || segment->p_filesz - (address - segment->p_vaddr) < size)
		return -ENOEXEC;
	return read_at(image->fd, out, size, segment->p_offset + (address - segment->p_vaddr));
}

static int read_header(struct image *image)
{
	const unsigned char data =
		__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
	Elf64_Ehdr header;
	int err = read_at(image->fd, &header, sizeof(header), 0);

	if (err)
		return err;
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != data ||
	    header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > MAX_SEGMENTS)
		return -ENOEXEC;
	image->segment_count = header.e_phnum;
	return read_at(image->fd, image->segments, header.e_phnum * sizeof(Elf64_Phdr),
		       header.e_phoff);
}

/* Where its tables are. */
static int read_dynamic(struct image *image)
{
	const Elf64_Phdr *dynamic = NULL;
	Elf64_Dyn entries[MAX_DYNAMIC];
	size_t count;
	int err;

	for (unsigned int i = 0; i < image->segment_count; i++)
		if (image->segments[i].p_type == PT_DYNAMIC)
			dynamic = &image->segments[i];
	if (!dynamic)
		return -ENOEXEC;
	count = dynamic->p_filesz / sizeof(entries[0]);
	if (count > MAX_DYNAMIC)
		count = MAX_DYNAMIC;
	err = read_at(image->fd, entries, count * sizeof(entries[0]), dynamic->p_offset);
	for (size_t i = 0; !err && i < count && entries[i].d_tag != DT_NULL; i++) {
		if (entries[i].d_tag == DT_GNU_HASH)
			image->hash = entries[i].d_un.d_ptr;
		if (entries[i].d_tag == DT_SYMTAB)
			image->symbols = entries[i].d_un.d_ptr;
		if (entries[i].d_tag == DT_STRTAB)
			image->strings = entries[i].d_un.d_ptr;
	}
	return err ? err : image->hash && image->symbols && image->strings ? 0 : -ENOEXEC;
}

static uint32_t gnu_hash(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

/* Is symbol `index` this function? 1 or 0, or a negative errno. */
static int is_function(const struct image *image, uint32_t index, const char *name,
		       Elf64_Sym *symbol)
{
	size_t size = strlen(name) + 1;
	char found[MAX_NAME];
	int err = read_address(image, symbol, sizeof(*symbol),
			       image->symbols + (uint64_t)index * sizeof(*symbol));

	if (err)
		return err;
	if (symbol->st_shndx == SHN_UNDEF || ELF64_ST_TYPE(symbol->st_info) != STT_FUNC)
		return 0;
	/* Where the strings end before that it is a shorter one. */
	if (read_address(image, found, size, image->strings + symbol->st_name) != 0)
		return 0;
	return memcmp(found, name, size) == 0;
}

/*
 * The table: four numbers, a filter of words of eight bytes, the first symbol of each bucket, and for each symbol from
 * `first` on its hash, whose lowest bit ends its bucket.
 */
static int find_symbol(const struct image *image, const char *name, Elf64_Sym *symbol)
{
	struct {
		uint32_t buckets, first, words, shift;
	} table;
	uint32_t hash = gnu_hash(name), index, chained;
	uint64_t buckets, chains;
	int err = read_address(image, &table, sizeof(table), image->hash);

	if (err)
		return err;
	if (!table.buckets)
		return -ENOENT;
	buckets = image->hash + sizeof(table) + (uint64_t)table.words * sizeof(uint64_t);
	chains = buckets + (uint64_t)table.buckets * sizeof(uint32_t);
	err = read_address(image, &index, sizeof(index),
			   buckets + (uint64_t)(hash % table.buckets) * sizeof(index));
	if (err || index < table.first)
		return err ? err : -ENOENT;
	for (int i = 0; i < MAX_CHAIN; i++, index++) {
		err = read_address(image, &chained, sizeof(chained),
				   chains + (uint64_t)(index - table.first) * sizeof(chained));
		if (!err && (chained | 1) == (hash | 1))
			err = is_function(image, index, name, symbol);
		if (err)
			return err < 0 ? err : 0;
		if (chained & 1)
			break;
	}
	return -ENOENT;
}

int elf_find_function(int fd, const char *name, uint64_t *offset)
{
	struct image image = { .fd = fd };
	const Elf64_Phdr *segment;
	Elf64_Sym symbol = { 0 };
	int err;

	if (strlen(name) + 1 > MAX_NAME)
		return -ENOENT;
	err = read_header(&image);
	if (!err)
		err = read_dynamic(&image);
	if (!err)
		err = find_symbol(&image, name, &symbol);
	if (err)
		return err;
	segment = find_segment(&image, symbol.st_value);
	if (!segment || !(segment->p_flags & PF_X))
		return -ENOEXEC;
	*offset = segment->p_offset + (symbol.st_value - segment->p_vaddr);
	return 0;
}
