// SPDX-License-Identifier: BSD-2-Clause
/* Servers of network block devices, in a /sys and a /proc made for the purpose; UNIX sockets are real. */
#include "unit.h"

#include <sys/socket.h>

#include "collect/nbd.h"
#include "collect/sample.h"
#include "tree.h"

/*
 * Process 10 has set nbd0 up, over socket 100, whose other end 200 process 20 has. Socket 101 leads to another host, 102
 * listens, 103 leads to process 30, 104 is of no table.
 */
static const char tcp[] =
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	"   0: 0100007F:C350 0100007F:2A39 01 00000000:00000000 00:00000000 00000000     0        0 100 1 0\n"
	"   1: 0100007F:2A39 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 200 1 0\n"
	"   2: 0500000A:C352 0600000A:2A39 01 00000000:00000000 00:00000000 00000000     0        0 101 1 0\n"
	"   3: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 102 1 0\n"
	"   4: 0100007F:C353 0100007F:2A39 01 00000000:00000000 00:00000000 00000000     0        0 103 1 0\n"
	"   5: 0100007F:2A39 0100007F:C353 01 00000000:00000000 00:00000000 00000000     0        0 300 1 0\n";

static int build(void **unused)
{
	static const char *const folders[] = { "block", "block/nbd0", "block/nbd1", "block/sda",
					       "10",    "10/ns",      "10/net",     "10/fd",
					       "20",    "20/fd",      "30",         "30/fd" };

	(void)unused;
	tree_begin("nbd");
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		tree_folder(folders[i]);
	tree_file("block/nbd0/range", "32\n");
	tree_file("block/nbd1/range", "32\n");
	tree_file("block/sda/pid", "10\n");
	tree_link("10/ns/net", "net:[4026531840]");
	tree_file("10/net/tcp", tcp);
	tree_link("20/fd/5", "socket:[200]");
	tree_link("30/fd/5", "socket:[300]");
	return 0;
}

static int remove_all(void **unused)
{
	(void)unused;
	return tree_remove();
}

/* Process 10 is in the device's call. */
static void connect_device(const char *disk)
{
	char name[64];

	snprintf(name, sizeof(name), "block/%s/pid", disk);
	tree_file(name, "10\n");
	tree_link("10/fd/3", "/dev/nbd0");
}

static size_t find(struct nbd list[MAX_NBD])
{
	return nbd_find(list, root, root);
}

static void test_server(void **unused)
{
	struct nbd list[MAX_NBD];

	(void)unused;
	connect_device("nbd1");
	tree_link("10/fd/4", "socket:[100]");
	/* Neither leads anywhere; the last one is no NBD device's, but a log's. */
	tree_link("10/fd/5", "socket:[102]");
	tree_link("10/fd/6", "socket:[104]");
	tree_link("10/fd/2", "socket:[103]");
	assert_int_equal(find(list), 1);
	assert_int_equal(list[0].device, device_number(43, 32));
	assert_int_equal(list[0].minors, 32);
	assert_int_equal(list[0].server, 20);
}

static void test_not_connected(void **unused)
{
	struct nbd list[MAX_NBD];

	(void)unused;
	tree_link("10/fd/4", "socket:[100]");
	assert_int_equal(find(list), 0);
}

/* Who used netlink is gone, and another process has its ID. */
static void test_without_the_device(void **unused)
{
	struct nbd list[MAX_NBD];

	(void)unused;
	tree_file("block/nbd0/pid", "10\n");
	tree_link("10/fd/4", "socket:[100]");
	assert_int_equal(find(list), 0);
}

static void test_elsewhere(void **unused)
{
	struct nbd list[MAX_NBD];

	(void)unused;
	connect_device("nbd0");
	tree_link("10/fd/4", "socket:[101]");
	assert_int_equal(find(list), 0);
	/* It has a connection on this host too: which one is the device's? */
	tree_link("10/fd/5", "socket:[100]");
	assert_int_equal(find(list), 0);
}

static void test_two_servers(void **unused)
{
	struct nbd list[MAX_NBD];

	(void)unused;
	connect_device("nbd0");
	tree_link("10/fd/4", "socket:[100]");
	tree_link("10/fd/5", "socket:[103]");
	assert_int_equal(find(list), 0);
}

static void link_socket(const char *name, int fd)
{
	struct stat st;
	char text[64];

	assert_int_equal(fstat(fd, &st), 0);
	snprintf(text, sizeof(text), "socket:[%lu]", (unsigned long)st.st_ino);
	tree_link(name, text);
}

static void test_unix_socket(void **unused)
{
	struct nbd list[MAX_NBD];
	int stream[2], datagram[2];

	(void)unused;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, stream), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagram), 0);
	connect_device("nbd0");
	link_socket("10/fd/4", datagram[0]);
	link_socket("30/fd/6", datagram[1]);
	assert_int_equal(find(list), 0);
	link_socket("10/fd/5", stream[0]);
	link_socket("20/fd/6", stream[1]);
	assert_int_equal(find(list), 1);
	assert_int_equal(list[0].server, 20);
	for (int i = 0; i < 2; i++) {
		close(stream[i]);
		close(datagram[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_server, build, remove_all),
		cmocka_unit_test_setup_teardown(test_not_connected, build, remove_all),
		cmocka_unit_test_setup_teardown(test_without_the_device, build, remove_all),
		cmocka_unit_test_setup_teardown(test_elsewhere, build, remove_all),
		cmocka_unit_test_setup_teardown(test_two_servers, build, remove_all),
		cmocka_unit_test_setup_teardown(test_unix_socket, build, remove_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
