// SPDX-License-Identifier: BSD-2-Clause
#include "show/metrics.h"
#include "show/show.h"

const struct shower showers[] = {
	[FORMAT_TEXT] = { "text", true, show_report_text, show_rates_text },
	[FORMAT_JSON] = { "json", true, show_report_json, show_rates_json },
	[FORMAT_CSV] = { "csv", false, show_report_csv, show_rates_csv },
};

const unsigned int shower_count = sizeof(showers) / sizeof(showers[0]);

void latency_figures(const struct latency *latency, struct latency_figure figures[LATENCY_FIGURES])
{
	const struct latency_figure all[LATENCY_FIGURES] = {
		{ M_MEAN, latency->mean_ns }, { M_P50, latency->p50_ns },
		{ M_P90, latency->p90_ns },   { M_P99, latency->p99_ns },
		{ M_P999, latency->p999_ns }, { M_MAX, latency->max_ns },
	};

	for (int i = 0; i < LATENCY_FIGURES; i++)
		figures[i] = all[i];
}

int loss_figures(enum sample_source source, const struct loss *loss,
		 struct loss_figure figures[LOSS_FIGURES])
{
	const struct loss_figure of_proc[LOSS_FIGURES_OF_PROC] = {
		{ M_LOSS_PROCESSES_DROPPED, loss->processes_dropped },
		{ M_LOSS_THREADS_DROPPED, loss->threads_dropped },
	};
	const struct loss_figure all[LOSS_FIGURES] = {
		{ M_LOSS_REQUESTS_UNTRACKED, loss->requests_untracked },
		{ M_LOSS_COMPLETIONS_UNMATCHED, loss->completions_unmatched },
		{ M_LOSS_EVENTS_MISSED, loss->events_missed },
		of_proc[0],
		of_proc[1],
		{ M_LOSS_DIRTIERS_UNKNOWN, loss->dirtiers_unknown },
		{ M_LOSS_EDGES_DROPPED, loss->edges_dropped },
		{ M_LOSS_FILES_DROPPED, loss->files_dropped },
		{ M_LOSS_KEYS_FOLDED, loss->keys_folded },
	};

	int count = source == SOURCE_PROC ? LOSS_FIGURES_OF_PROC : LOSS_FIGURES;

	for (int i = 0; i < count; i++)
		figures[i] = source == SOURCE_PROC ? of_proc[i] : all[i];
	return count;
}
