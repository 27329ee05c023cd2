// SPDX-License-Identifier: BSD-2-Clause
#include "show/doctor.h"

#include "show/json.h"

static const char *conclusion(const struct doctor_report *report)
{
	if (report->sources.bpf)
		return "The main job works on this host.";
	if (report->sources.proc)
		return "The main job works on this host without BPF: from /proc, with less detail. "
		       "For BPF see MISSING above.";
	return "The main job does not work on this host; see MISSING above.";
}

int show_doctor_text(FILE *out, const struct doctor_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct doctor_check *c = &report->checks[i];

		fprintf(out, "%-8s %s: %s\n",
			c->ok     ? "ok" :
			c->needed ? "MISSING" :
				    "absent",
			c->name, c->detail);
		if (c->remedy[0])
			fprintf(out, "%-8s remedy: %s\n", "", c->remedy);
	}
	fprintf(out, "\n%s\n", conclusion(report));
	return 0;
}

int show_doctor_json(FILE *out, const struct doctor_report *report)
{
	struct json_builder b = { .root = json_object() };
	json_t *list, *sources;

	json_add_text(&b, b.root, "schema", "whystall.doctor/1");
	json_add(&b, b.root, "works", json_boolean(doctor_works(report)));
	sources = json_open_object(&b, b.root, "sources");
	json_add(&b, sources, "bpf", json_boolean(report->sources.bpf));
	json_add(&b, sources, "proc", json_boolean(report->sources.proc));
	json_add_text(&b, b.root, "kernel", report->kernel);
	list = json_open_array(&b, b.root, "checks");
	for (size_t i = 0; i < report->count; i++) {
		const struct doctor_check *c = &report->checks[i];
		json_t *check = json_open_object(&b, list, NULL);

		json_add_text(&b, check, "name", c->name);
		json_add(&b, check, "ok", json_boolean(c->ok));
		json_add(&b, check, "needed", json_boolean(c->needed));
		json_add_text(&b, check, "detail", c->detail);
		if (c->remedy[0])
			json_add_text(&b, check, "remedy", c->remedy);
		else
			json_add_null(&b, check, "remedy");
	}
	return json_finish(&b, out, false);
}
