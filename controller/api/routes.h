/* What is done for each action of route.h. Each answers its request, now or later. */
#ifndef HUDDLE_API_ROUTES_H
#define HUDDLE_API_ROUTES_H

#include "controller/api/request.h"

/* routes_read.c */
void routes_get(struct request *rq);
void routes_list(struct request *rq);

/* routes_write.c */
void routes_create(struct request *rq);
void routes_replace(struct request *rq);
void routes_patch(struct request *rq);
void routes_delete(struct request *rq);
void routes_verb(struct request *rq);

/* routes_system.c */
void routes_livez(struct request *rq);
void routes_readyz(struct request *rq);
void routes_version(struct request *rq);
void routes_report(struct request *rq);
void routes_ingest(struct request *rq);

/* routes_enrol.c */
void routes_authorities(struct request *rq);
void routes_enrol(struct request *rq);
void routes_renew(struct request *rq);

/* routes_metrics.c */
void routes_metrics(struct request *rq);

#endif
