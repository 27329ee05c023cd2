/* SPDX-License-Identifier: BSD-2-Clause */
/* As much of io_uring as the states need: requests, and the wait for one of them. Errors end the program. */
#ifndef RING_H
#define RING_H

#include <err.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RING_ENTRIES = 8 };

struct ring {
	int fd;
	unsigned *sq_tail, *sq_mask, *sq_array;
	unsigned *cq_head, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
};

static void *ring_map(int fd, size_t size, off_t at)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, at);

	if (p == MAP_FAILED)
		err(1, "mmap of a ring");
	return p;
}

static void ring_open(struct ring *ring)
{
	struct io_uring_params p = { 0 };
	char *sq, *cq;

	ring->fd = (int)syscall(SYS_io_uring_setup, RING_ENTRIES, &p);
	if (ring->fd < 0)
		err(1, "io_uring_setup");
	sq = ring_map(ring->fd, p.sq_off.array + p.sq_entries * sizeof(unsigned),
		      IORING_OFF_SQ_RING);
	cq = ring_map(ring->fd, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe),
		      IORING_OFF_CQ_RING);
	ring->sqes =
		ring_map(ring->fd, p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	ring->sq_tail = (unsigned *)(sq + p.sq_off.tail);
	ring->sq_mask = (unsigned *)(sq + p.sq_off.ring_mask);
	ring->sq_array = (unsigned *)(sq + p.sq_off.array);
	ring->cq_head = (unsigned *)(cq + p.cq_off.head);
	ring->cq_mask = (unsigned *)(cq + p.cq_off.ring_mask);
	ring->cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
}

/* Queue a request; ring_enter() submits it. */
static void ring_add(struct ring *ring, const struct io_uring_sqe *request)
{
	unsigned tail = *ring->sq_tail, at = tail & *ring->sq_mask;

	ring->sqes[at] = *request;
	ring->sq_array[at] = at;
	__atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
}

/* Submit so many, and wait for a completion; for a time, if one is given. False when that has passed. */
static int ring_enter(struct ring *ring, unsigned submit, const struct __kernel_timespec *time)
{
	struct io_uring_getevents_arg more = { .ts = (uint64_t)(uintptr_t)time };
	long done =
		time ? syscall(SYS_io_uring_enter, ring->fd, submit, 1,
			       IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &more, sizeof(more)) :
		       syscall(SYS_io_uring_enter, ring->fd, submit, 1, IORING_ENTER_GETEVENTS,
			       NULL, 0);

	if (done >= 0)
		return 1;
	if (errno != ETIME)
		err(1, "io_uring_enter");
	return 0;
}

/* Take a completion: what the system call would return, or a negative error. */
static int ring_take(struct ring *ring)
{
	unsigned head = *ring->cq_head;
	int result = ring->cqes[head & *ring->cq_mask].res;

	__atomic_store_n(ring->cq_head, head + 1, __ATOMIC_RELEASE);
	return result;
}

static int ring_do(struct ring *ring, const struct io_uring_sqe *request)
{
	ring_add(ring, request);
	ring_enter(ring, 1, NULL);
	return ring_take(ring);
}

#endif
