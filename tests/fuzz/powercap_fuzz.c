/* A powercap tree of any shape: each line of the input is a folder below the root, and behind a
 * blank the text of its file `name`. The walk must end, name every zone once, and no joule may be
 * counted twice. */
#include <ftw.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/sensor/powercap_tree.h"
#include "agent/sensor/zone_choice.h"
#include "proto/base/array.h"
#include "tests/fuzz/fuzz.h"

#define LINES_MAX 24

static char root[64];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st;
    (void)kind;
    return place->level == 0 ? 0 : remove(path);
}

/* Makes the folders of a path one by one, as far as they can be made. */
static void make_folders(char *path)
{
    for (char *slash = strchr(path + strlen(root) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    (void)mkdir(path, 0700);
}

static void add_line(const char *line)
{
    size_t n = strcspn(line, " ");
    char path[1024];
    FILE *file;

    if (n == 0 || n > 400 || strstr(line, "..") || line[0] == '/')
        return;
    (void)snprintf(path, sizeof(path), "%s/%.*s", root, (int)n, line);
    make_folders(path);
    (void)snprintf(path, sizeof(path), "%s/%.*s/name", root, (int)n, line);
    file = line[n] ? fopen(path, "we") : NULL;
    if (file) {
        (void)fputs(line + n + 1, file);
        (void)fclose(file);
    }
}

static void check_tree(const struct powercap_tree *t)
{
    for (size_t i = 0; i < t->n_nodes; i++) {
        const struct powercap_node *n = &t->nodes[i];
        MUST(n->depth >= 1 && n->depth <= POWERCAP_DEPTH_MAX);
        MUST((n->parent == SIZE_MAX) == (n->depth == 1) && (n->depth == 1 || n->parent < i));
        MUST(n->name[0] && strlen(n->name) < sizeof(n->name));
        for (const char *p = n->name; *p; p++)
            MUST(*p >= ' ' && *p <= '~');
        for (size_t j = 0; j < i; j++)
            MUST(strcmp(t->nodes[j].folder, n->folder) != 0);
    }
}

/* Packages and their parts are never both counted, psys never beside others, GPUs are not here. */
static void check_choice(const struct powercap_tree *t)
{
    struct zone_fact *facts = xcalloc(t->n_nodes + 1, sizeof(*facts));
    bool psys = false, other = false;

    for (size_t i = 0; i < t->n_nodes; i++) {
        const struct powercap_node *n = &t->nodes[i];
        facts[i] = (struct zone_fact){
            .kind = zone_kind_of(n->name),
            .name = n->name,
            .control = n->control,
            .parent_name = n->parent == SIZE_MAX ? "" : t->nodes[n->parent].name,
            .usable = n->name[strlen(n->name) - 1] != 'x',
            .raw_uj = n->index[0],
        };
    }
    zone_choice(facts, t->n_nodes);
    for (size_t i = 0; i < t->n_nodes; i++) {
        if (!facts[i].counted)
            continue;
        MUST(facts[i].usable);
        MUST(facts[i].kind == ZONE_PSYS || facts[i].kind == ZONE_PACKAGE ||
             facts[i].kind == ZONE_DRAM);
        psys |= facts[i].kind == ZONE_PSYS;
        other |= facts[i].kind != ZONE_PSYS;
    }
    MUST(!psys || !other);
    free(facts);
}

static void remove_root(void)
{
    (void)rmdir(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct powercap_tree tree = { 0 };
    struct err e = ERR_INIT;
    char *text, *rest, *line;
    int lines = 0;

    if (!root[0]) {
        (void)snprintf(root, sizeof(root), "%s/powercap_fuzz.XXXXXX",
                       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        MUST(mkdtemp(root));
        (void)atexit(remove_root);
    }
    text = fuzz_text(data, size);
    for (rest = text; (line = strsep(&rest, "\n")) && lines < LINES_MAX; lines++)
        add_line(line);
    MUST(powercap_tree_walk(root, &tree, &e) == 0);
    check_tree(&tree);
    check_choice(&tree);
    powercap_tree_done(&tree);
    (void)nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(text);
    return 0;
}
