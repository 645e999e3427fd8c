/* The presets: see metrics_preset.h. What a server does not tell has no row: llama.cpp counts no
 * requests, Triton and TorchServe serve no latency histogram of whole requests. */
#include "agent/sensor/metrics_preset.h"

#include <string.h>

#include "proto/base/array.h"

/* clang-format off */
#define SECONDS 1000.0
#define MILLISECONDS 1.0

#define ROW(field_, rank_, name_) { .field = METRICS_##field_, .rank = (rank_), .name = (name_) }
#define ROW_IF(field_, rank_, name_, filter_, label_, value_)                                     \
    { .field = METRICS_##field_, .rank = (rank_), .name = (name_), .filter = METRICS_##filter_,   \
      .label = (label_), .value = (value_) }
#define HISTOGRAM(rank_, name_, unit_)                                                            \
    { .field = METRICS_LATENCY, .rank = (rank_), .name = (name_), .unit_ms = (unit_) }

static const struct metrics_preset presets[] = {
    /* Any server of one's own: the first block is what the documentation asks for. Then the example
     * classifier, and what common HTTP instrumentation serves. */
    { "generic", {
        ROW(REQUESTS, 0, "requests_total"),
        ROW(ERRORS, 0, "errors_total"),
        ROW(TOKENS, 0, "tokens_total"),
        ROW(IN_FLIGHT, 0, "requests_in_flight"),
        ROW(QUEUE, 0, "requests_queued"),
        HISTOGRAM(0, "request_duration_seconds", SECONDS),
        ROW(REQUESTS, 1, "classifier_requests_total"),
        ROW(ERRORS, 1, "classifier_errors_total"),
        ROW(IN_FLIGHT, 1, "classifier_requests_in_flight"),
        HISTOGRAM(1, "classifier_request_duration_seconds", SECONDS),
        ROW(REQUESTS, 2, "http_requests_total"),
        ROW_IF(ERRORS, 2, "http_requests_total", PREFIX, "code", "5"),
        ROW_IF(ERRORS, 3, "http_requests_total", PREFIX, "status", "5"),
        ROW_IF(ERRORS, 4, "http_requests_total", PREFIX, "status_code", "5"),
        ROW(IN_FLIGHT, 2, "http_requests_in_flight"),
        ROW(IN_FLIGHT, 3, "http_requests_in_progress"),
        HISTOGRAM(2, "http_request_duration_seconds", SECONDS),
        HISTOGRAM(3, "http_request_duration_ms", MILLISECONDS) } },

    /* docs.vllm.ai/en/latest/usage/metrics; vllm/v1/metrics/loggers.py. Aborted requests were the
     * client's wish. */
    { "vllm", {
        ROW(REQUESTS, 0, "vllm:request_success_total"),
        ROW_IF(ERRORS, 0, "vllm:request_success_total", EQUAL, "finished_reason", "error"),
        ROW(TOKENS, 0, "vllm:generation_tokens_total"),
        ROW(IN_FLIGHT, 0, "vllm:num_requests_running"),
        ROW(QUEUE, 0, "vllm:num_requests_waiting"),
        HISTOGRAM(0, "vllm:e2e_request_latency_seconds", SECONDS) } },

    /* huggingface.co/docs/text-generation-inference/reference/metrics; the values of `err` stand in
     * the router's source. "validation" and "dropped" are the client's. */
    { "tgi", {
        ROW(REQUESTS, 0, "tgi_request_count"),
        ROW_IF(ERRORS, 0, "tgi_request_failure", EQUAL, "err", "generation"),
        ROW_IF(ERRORS, 0, "tgi_request_failure", EQUAL, "err", "incomplete_generation"),
        ROW_IF(ERRORS, 0, "tgi_request_failure", EQUAL, "err", "overloaded"),
        ROW(TOKENS, 0, "tgi_request_generated_tokens_sum"),
        ROW(IN_FLIGHT, 0, "tgi_batch_current_size"),
        ROW(QUEUE, 0, "tgi_queue_size"),
        HISTOGRAM(0, "tgi_request_duration", SECONDS) } },

    /* docs.nvidia.com/deeplearning/triton-inference-server/user-guide, Metrics. Its own summary of
     * latency (nv_inference_request_summary_us) tells no share below an objective; its vLLM backend
     * adds vLLM's metrics to the page. */
    { "triton", {
        ROW(REQUESTS, 0, "nv_inference_request_success"),
        ROW(REQUESTS, 0, "nv_inference_request_failure"),
        ROW_IF(ERRORS, 0, "nv_inference_request_failure", EXCEPT, "reason", "CANCELED"),
        ROW(TOKENS, 0, "vllm:generation_tokens_total"),
        ROW(QUEUE, 0, "nv_inference_pending_request_count"),
        HISTOGRAM(0, "vllm:e2e_request_latency_seconds", SECONDS) } },

    /* github.com/ggml-org/llama.cpp, tools/server/README.md, GET /metrics (started with --metrics) */
    { "llamacpp", {
        ROW(TOKENS, 0, "llamacpp:tokens_predicted_total"),
        ROW(IN_FLIGHT, 0, "llamacpp:requests_processing"),
        ROW(QUEUE, 0, "llamacpp:requests_deferred") } },

    /* docs.pytorch.org/serve/metrics.html, metrics_mode=prometheus */
    { "torchserve", {
        ROW(REQUESTS, 0, "ts_inference_requests_total"),
        ROW(ERRORS, 0, "Requests5XX") } },
};
/* clang-format on */

const struct metrics_preset *metrics_preset_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(presets); i++) {
        if (strcmp(presets[i].name, name) == 0)
            return &presets[i];
    }
    return NULL;
}

const char *metrics_preset_names(void)
{
    return "generic, vllm, tgi, triton, llamacpp, torchserve";
}
