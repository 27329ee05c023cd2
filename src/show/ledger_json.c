// SPDX-License-Identifier: BSD-2-Clause
#include "show/ledger_json.h"

#include "base/units.h"
#include "show/metrics.h"

void show_ledger_json(struct json_builder *b, json_t *parent, const struct ledger *ledger)
{
	json_t *time = json_open_object(b, parent, metrics[M_TIME_S].key);

	json_add_real(b, time, metrics[M_WALL].key, duration_seconds(ledger_wall_ns(ledger)));
	for (unsigned int class = 0; class < LEDGER_CLASSES; class ++)
		json_add_real(b, time, metrics[M_CPU + class].key,
			      duration_seconds(ledger_class_ns(ledger, class)));
}
