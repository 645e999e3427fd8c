/* What an API server answered: the object, and what its status means. Pure. Private to kube_client.
 */
#ifndef HUDDLE_KUBE_ANSWER_H
#define HUDDLE_KUBE_ANSWER_H

#include <stdbool.h>

#include "controller/kube_client/kube_status.h"
#include "proto/base/http.h"

/* Of an answer that came (`status` is not 0). A new reference, or NULL: where the body is text, as
 * "ok" of /readyz, or where it was `streamed`. What is neither JSON nor text is KUBE_UNREACHABLE.
 */
json_t *kube_answer_read(const struct http_response *r, const char *url, bool streamed,
                         struct kube_status *ret_status);

#endif
