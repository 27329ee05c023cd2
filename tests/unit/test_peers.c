// SPDX-License-Identifier: BSD-2-Clause
/* Other ends of sockets, in a /proc made for the purpose. */
#include "unit.h"

#include "collect/peers.h"
#include "tree.h"

/*
 * Process 10, the job's, has socket 100, connected to port 8080 at 127.0.0.1, whose other end 200 process 20 has; 101, to the
 * same as an IPv6 address; and 102, whose other end is elsewhere. Process 30 listens on port 8080 (inode 300).
 */
static const char tcp[] =
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 300 1 0\n"
	"   1: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 100 1 0\n"
	"   2: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 200 1 0\n"
	"   3: 0100007F:1F90 0100007F:C351 01 00000000:00000000 00:00000000 00000000     0        0 201 1 0\n"
	"   4: 0500000A:C352 0600000A:1F90 01 00000000:00000000 00:00000000 00000000     0        0 102 1 0\n"
	"   5: not a line of this table\n";
static const char tcp6[] =
	"  sl  local_address                         remote_address                        st ...\n"
	"   0: 0000000000000000FFFF00000100007F:C351 0000000000000000FFFF00000100007F:1F90 01 "
	"00000000:00000000 00:00000000 00000000     0        0 101 1 0\n";

static void build(void)
{
	static const char *const folders[] = { "10",    "10/ns", "10/net", "10/fd", "20",
					       "20/fd", "30",    "30/fd",  "self",  "self/fd" };

	tree_begin("peers");
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		tree_folder(folders[i]);
	tree_link("10/ns/net", "net:[4026531840]");
	tree_file("10/net/tcp", tcp);
	tree_file("10/net/tcp6", tcp6);
	tree_link("10/fd/3", "socket:[100]");
	tree_link("20/fd/4", "socket:[200]");
	tree_link("20/fd/5", "socket:[201]");
	tree_link("20/fd/6", "/home/socket:[300]");
	tree_link("30/fd/3", "socket:[300]");
	tree_link("self/fd/3", "socket:[200]");
}

static pid_t ask(pid_t pid, uint32_t socket, uint32_t port)
{
	struct peer_query query = { .pid = pid, .socket = socket, .port = port, .peer = 77 };

	peers_find(&query, 1, root);
	return query.peer;
}

static void test_connected(void **unused)
{
	(void)unused;
	assert_int_equal(ask(10, 100, 8080), 20);
	assert_int_equal(ask(10, 101, 8080), 20);
}

/* It is gone; or its other end is held by nobody yet, and then too it is whoever listens. */
static void test_listening(void **unused)
{
	(void)unused;
	assert_int_equal(ask(10, 999, 8080), 30);
}

static void test_nobody(void **unused)
{
	(void)unused;
	assert_int_equal(ask(10, 102, 0), 0);
	assert_int_equal(ask(10, 999, 81), 0);
	assert_int_equal(ask(20, 100, 8080), 0); /* its sockets cannot be read */
	assert_int_equal(ask(11, 100, 8080), 0); /* there is no such process */
}

static void test_many(void **unused)
{
	struct peer_query queries[MAX_PEER_QUERIES + 8] = { 0 };

	(void)unused;
	for (size_t i = 0; i < MAX_PEER_QUERIES + 8; i++)
		queries[i] = (struct peer_query){ .pid = 10, .socket = i % 2 ? 100 : 102 };
	peers_find(queries, MAX_PEER_QUERIES + 8, root);
	for (size_t i = 0; i < MAX_PEER_QUERIES + 8; i++)
		assert_int_equal(queries[i].peer, i % 2 && i < MAX_PEER_QUERIES ? 20 : 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connected),
		cmocka_unit_test(test_listening),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_many),
	};
	int failed;

	build();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	return tree_remove() || failed;
}
