/* Answers about certificates: see enrolment.h. */
#include "agent/enrolment.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include "agent/state_files.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "proto/certificate.h"

void enrolment_done(struct enrolment *a)
{
    free(a->certificate);
    free(a->authorities);
}

static int check(const char *certificate, const char *authorities, const char *key,
                 const char *node, struct err *e)
{
    struct certificate c, ca;

    if (certificate_match(certificate, key, e) < 0 || certificate_read(certificate, &c, e) < 0 ||
        certificate_read(authorities, &ca, e) < 0)
        return -EBADMSG;
    if (strcmp(c.node, node) != 0 || !c.uid[0])
        return err_set(e, -EBADMSG, "the certificate is not node %s's", node);
    return ca.authority ? 0 : err_set(e, -EBADMSG, "the authorities: the first is none");
}

int enrolment_read(const char *answer, size_t n, const char *key, const char *node,
                   struct enrolment *ret, struct err *e)
{
    json_t *root = json_loadb(answer, n, JSON_REJECT_DUPLICATES, NULL);
    const char *certificate = json_string_value(json_object_get(root, "certificate"));
    const char *authorities = json_string_value(json_object_get(root, "authorities"));
    json_int_t port = json_integer_value(json_object_get(root, "agentsPort"));
    int r;

    if (certificate && authorities && port >= 0 && port <= UINT16_MAX)
        r = check(certificate, authorities, key, node, e);
    else
        r = err_set(e, -EBADMSG, "expected a certificate, its authorities, and a port");
    if (r == 0)
        *ret = (struct enrolment){ xstrdup(certificate), xstrdup(authorities), (uint16_t)port };
    json_decref(root);
    return r < 0 ? err_prefix(e, r, "the controller's answer") : 0;
}

int enrolment_write(const char *path, const char *text, struct err *e)
{
    AUTO(mem) char *dir = xstrdup(path), *name = xstrdup(path);
    const char *folder = dirname(dir);
    AUTO(fd) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(e, -errno, "%s", folder);
    return state_file_write(fd, basename(name), text, strlen(text), e);
}

int enrolment_store(const struct enrolment *a, const char *ca_file, const char *certificate_file,
                    struct err *e)
{
    int r = enrolment_write(ca_file, a->authorities, e);

    return r < 0 ? r : enrolment_write(certificate_file, a->certificate, e);
}
