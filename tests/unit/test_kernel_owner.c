// SPDX-License-Identifier: BSD-2-Clause
/* Names of kernel threads and work queues, as several kernels have them. */
#include "unit.h"

#include "model/kernel_owner.h"

static void test_names(void **unused)
{
	static const struct {
		const char *name, *label;
		bool hides_owner;
	} cases[] = {
		{ "jbd2/sda1-8", "[kernel]", false },
		{ "xfs-log/sda1", "[kernel]", false },
		{ "ext4", "[kernel]", false },
		{ "writeback", "[kernel]", false },
		{ "swap", "[swap]", false },
		{ "loop7", "[loop]", true },
		{ "loop", "[kernel]", false },
		{ "loopback", "[kernel]", false },
		{ "md127_raid5", "[md]", true },
		{ "mdadm", "[kernel]", false },
		{ "raid5wq", "[md]", true },
		{ "kcryptd-253:0-1", "[dm]", true },
		{ "kcryptd/253:0", "[dm]", true },
		{ "dmcrypt_write/253:0", "[dm]", true },
		{ "", "[kernel]", false },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kernel_owner owner = kernel_owner_of(cases[i].name);

		assert_string_equal(owner.label, cases[i].label);
		assert_int_equal(owner.hides_owner, cases[i].hides_owner);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
