/* Weights on disk: see network.h for the format. A file is written aside and renamed, so that a
 * reader never meets half of one. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "deploy/examples/classifier/network.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the weights file is little-endian");

static const char MAGIC[8] = { 'H', 'U', 'D', 'L', 'N', 'E', 'T', '1' };

struct file_head {
    char magic[8];
    uint32_t inputs, hidden;
    uint64_t sum;
    double check;
};

static uint64_t parameters_sum(const struct network *n)
{
    const unsigned char *bytes = (const unsigned char *)n->parameters;
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < n->n_parameters * sizeof(float); i++)
        h = (h ^ bytes[i]) * 0x100000001b3u;
    return h;
}

static double check_value(struct network *n)
{
    float x[NETWORK_INPUTS];

    network_check_input(x);
    return network_predict(n, x);
}

int network_save(struct network *n, const char *path, struct err *e)
{
    struct file_head head = { .inputs = NETWORK_INPUTS, .hidden = n->hidden };
    char aside[4096];
    FILE *f;
    int r = 0;

    memcpy(head.magic, MAGIC, sizeof(MAGIC));
    head.sum = parameters_sum(n);
    head.check = check_value(n);
    if ((size_t)snprintf(aside, sizeof(aside), "%s.part", path) >= sizeof(aside))
        return err_set(e, -ENAMETOOLONG, "%s: path too long", path);
    f = fopen(aside, "wbe");
    if (!f)
        return err_errno(e, -errno, "%s", aside);
    if (fwrite(&head, sizeof(head), 1, f) != 1 ||
        fwrite(n->parameters, sizeof(float), n->n_parameters, f) != n->n_parameters)
        r = -EIO;
    if (fclose(f) != 0)
        r = -EIO;
    if (r == 0 && rename(aside, path) != 0)
        r = -errno;
    if (r < 0) {
        (void)remove(aside);
        return err_errno(e, r, "%s", path);
    }
    return 0;
}

static int read_head(FILE *f, struct file_head *ret_head, struct err *e)
{
    if (fread(ret_head, sizeof(*ret_head), 1, f) != 1 ||
        memcmp(ret_head->magic, MAGIC, sizeof(MAGIC)) != 0)
        return err_set(e, -EBADMSG, "not a weights file");
    if (ret_head->inputs != NETWORK_INPUTS)
        return err_set(e, -EBADMSG, "%u inputs, expected %u", ret_head->inputs, NETWORK_INPUTS);
    return 0;
}

static int read_network(FILE *f, struct network **ret_n, struct err *e)
{
    AUTO(network) struct network *n = NULL;
    struct file_head head;
    char beyond;
    int r = read_head(f, &head, e);

    if (r < 0)
        return r;
    r = network_new(head.hidden, &n, e);
    if (r < 0)
        return err_prefix(e, -EBADMSG, "header");
    if (fread(n->parameters, sizeof(float), n->n_parameters, f) != n->n_parameters)
        return err_set(e, -EBADMSG, "cut short");
    if (fread(&beyond, 1, 1, f) != 0)
        return err_set(e, -EBADMSG, "longer than its header says");
    if (parameters_sum(n) != head.sum)
        return err_set(e, -EBADMSG, "damaged: the checksum does not match");
    if (check_value(n) != head.check)
        return err_set(e, -EBADMSG, "this machine computes %.17g where training computed %.17g",
                       check_value(n), head.check);
    *ret_n = TAKE(n);
    return 0;
}

int network_load(const char *path, struct network **ret_n, struct err *e)
{
    FILE *f = fopen(path, "rbe");
    int r;

    if (!f)
        return err_errno(e, -errno, "%s", path);
    r = read_network(f, ret_n, e);
    (void)fclose(f);
    return r < 0 ? err_prefix(e, r, "%s", path) : 0;
}
