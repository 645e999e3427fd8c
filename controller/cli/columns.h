/* How values are shown in cells; for the tables of kind.c. */
#ifndef HUDDLE_CLI_COLUMNS_H
#define HUDDLE_CLI_COLUMNS_H

#include "controller/cli/kind.h"

column_show_fn show_text, show_pairs, show_time_and_age, show_signed_ms, show_rate, show_state,
    show_flag, show_count, show_number, show_share, show_watts, show_joules, show_bytes, show_cpu,
    show_ms, show_since, show_seconds, show_words, show_node_flags, show_ready, show_shown,
    show_object_ref, show_counts, show_cluster_replicas, show_cluster_state, show_saved,
    show_plan_awake, show_slo;

/* The colour of a word of state: "awake", "quarantined", "Warning", ... */
enum paint paint_of_state(const char *word);

#endif
