/* SPDX-License-Identifier: Apache-2.0 */
/* Bootstraps: when one is due, its thread, and how its result takes the place of what
   there was. The stream goes on meanwhile; ids that change are written down and brought
   to the new live linker before it is swapped in. */
#include "src/stream/stream_boot.h"

#include "formats/little.h"
#include "src/base/base.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#define CHANGES_NOTE "isolink.changes"
#define CHANGES_BYTES 32
/* Of a first bootstrap that was refused, when none is set. */
#define AFTER_DEFAULT 0.2
/* Trial starts that agree on less leave links of which too many are wrong to start from:
   scifact-bow-mlp 0.48, where warm starts got worse from one to the next (F1 on arrivals
   67.7 after a cold one, 4.3 after four warm ones); the other pairs at hand 0.72 to
   0.84, where they do not. */
#define WARM_AGREEMENT_MIN 0.65
/* A first bootstrap goes without some of the seeds when rows are so many times the
   wanted ones: with this many seeds, with any three. */
#define SEEDS_ENOUGH 8
#define ROWS_ENOUGH 2
#define ROWS_MORE 8

void il_stream_model_name(uint32_t round, char *out)
{
    snprintf(out, STREAM_MODEL_NAME, "model-%08" PRIu32 ".ilm", round % 100000000);
}

static uint64_t rows_now(const struct il_stream *s)
{
    return s->side[0].rows + s->side[1].rows;
}

enum il_status il_stream_note_changes(struct il_stream *s, struct il_error *error)
{
    unsigned char data[CHANGES_BYTES];
    if (s->since == s->since_noted)
        return IL_OK;
    store_u64(data, s->since);
    store_u64(data + 8, s->base);
    store_u64(data + 16, (uint64_t)s->refused);
    store_u64(data + 24, (uint64_t)il_clock_wall_ns());
    s->since_noted = s->since;
    return il_event_log_note(s->log, CHANGES_NOTE, data, sizeof(data)) == IL_OK
               ? IL_OK
               : il_stream_no_memory(s, error);
}

void il_stream_noted_changes(struct il_stream *s, const void *data, size_t bytes)
{
    const unsigned char *p = data;
    if (bytes != CHANGES_BYTES)
        return;
    s->since = s->since_noted = load_u64(p);
    s->base = load_u64(p + 8);
    s->refused = load_u64(p + 16) == 1;
}

enum il_status il_stream_changed(struct il_stream *s, int side, uint32_t name,
                                 struct il_error *error)
{
    struct il_stream_side *x = &s->side[side];
    s->since++;
    if (!s->boot || x->names.names[name].flags & NAME_CHANGED)
        return IL_OK;
    if (il_list_add(&x->journal, name) != IL_OK)
        return il_stream_no_memory(s, error);
    x->names.names[name].flags |= NAME_CHANGED;
    return IL_OK;
}

/* Seeds with both rows in the snapshot; rows of it in *out. */
static enum il_status resolve_seeds(struct il_boot *b, struct il_pair **out,
                                    size_t *count)
{
    *count = 0;
    *out = il_alloc(b->seed_count + 1, sizeof(**out));
    if (!*out)
        return il_fail(&b->error, IL_ENOMEM, "bootstrap: no memory for the seeds");
    for (size_t i = 0; i < b->seed_count; i++) {
        const uint32_t row_a = il_boot_find(&b->side[0], b->seeds[i].a);
        const uint32_t row_b = il_boot_find(&b->side[1], b->seeds[i].b);
        if (row_a != NAME_NONE && row_b != NAME_NONE)
            (*out)[(*count)++] = (struct il_pair){row_a, row_b};
    }
    return IL_OK;
}

/* The links to start from, by row of A: so their order is not that of their arrival. */
static enum il_status resolve_warm(struct il_boot *b, struct il_link **out, size_t *count)
{
    const size_t rows = b->side[0].rows;
    struct il_link *by_row = il_alloc_zero(rows, sizeof(*by_row));
    *out = by_row;
    *count = 0;
    if (!by_row)
        return il_fail(&b->error, IL_ENOMEM, "bootstrap: no memory for the links");
    for (size_t i = 0; i < b->warm_count; i++) {
        const struct il_boot_link *w = &b->warm[i];
        const uint32_t row_a = il_boot_find(&b->side[0], w->keys.a);
        const uint32_t row_b = il_boot_find(&b->side[1], w->keys.b);
        if (row_a != NAME_NONE && row_b != NAME_NONE)
            by_row[row_a] = (struct il_link){.a = row_a,
                                             .b = row_b,
                                             .posterior = w->posterior,
                                             .round = b->round,
                                             .origin = IL_ORIGIN_LINK};
    }
    for (size_t i = 0; i < rows; i++)
        if (by_row[i].origin == IL_ORIGIN_LINK)
            by_row[(*count)++] = by_row[i];
    return IL_OK;
}

static enum il_status find_links(struct il_boot *b)
{
    const struct il_stream *s = b->stream;
    struct il_matrix rows[2];
    struct il_link_config c;
    struct il_linking *linking = NULL;
    struct il_pair *seeds = NULL;
    struct il_link *links = NULL;
    size_t seed_count = 0, link_count = 0;
    for (int side = 0; side < 2; side++)
        rows[side] = (struct il_matrix){.type = IL_F32,
                                        .rows = b->side[side].rows,
                                        .dim = b->side[side].dim,
                                        .stride_bytes = b->side[side].dim * sizeof(float),
                                        .data = b->side[side].data};
    il_link_config_init(&c);
    c.threads = s->config.background_threads;
    c.seed = s->config.seed;
    c.posterior_min = s->config.posterior_min;
    c.cancel = &b->cancel;
    enum il_status status = resolve_seeds(b, &seeds, &seed_count);
    if (status == IL_OK && b->warm_count > 0)
        status = resolve_warm(b, &links, &link_count);
    const struct il_warm warm = {links, link_count, b->agreement};
    const uint64_t *const keys[2] = {b->side[0].keys, b->side[1].keys};
    if (status == IL_OK)
        status = il_link_model(&linking, &b->model, &rows[0], &rows[1], keys, seeds,
                               seed_count, link_count > 0 ? &warm : NULL, &c, &b->error);
    if (linking)
        b->precision = il_link_report(linking)->precision;
    il_link_close(&linking);
    il_free(seeds);
    il_free(links);
    return status;
}

/* Durable under its name before a frame names its round. */
static enum il_status save_model(struct il_boot *b)
{
    char name[STREAM_MODEL_NAME], shown[IL_DIR_SHOWN];
    const struct il_dir *dir = &b->stream->dir;
    struct il_out out = {.fd = -1};
    unsigned char *data = NULL;
    size_t bytes = 0;
    il_stream_model_name(b->round, name);
    il_dir_shown(dir, name, shown);
    if (il_model_write(b->model, &data, &bytes) != IL_OK)
        return il_fail(&b->error, IL_ENOMEM, "%s: no memory to write it", shown);
    enum il_status status = il_dir_remove(dir, STREAM_MODEL_NEW, &b->error);
    if (status == IL_OK)
        status = il_out_open(&out, dir, STREAM_MODEL_NEW, shown, 1, &b->error);
    if (status == IL_OK)
        status = il_out_write(&out, data, bytes, &b->error);
    if (status == IL_OK)
        status = il_out_sync(&out, &b->error);
    il_out_close(&out);
    il_free(data);
    if (status == IL_OK)
        status = il_dir_rename(dir, STREAM_MODEL_NEW, name, &b->error);
    return status == IL_OK ? il_dir_sync(dir, &b->error) : status;
}

/* A live linker over the snapshot. */
static enum il_status go_live(struct il_boot *b)
{
    const struct il_live_config c = {.threads = b->stream->config.threads,
                                     .posterior_min = b->stream->config.posterior_min,
                                     .seeds = b->seeds,
                                     .seed_count = b->seed_count};
    enum il_status status = il_live_open(&b->live, b->model, &c);
    for (int i = 0; status == IL_OK && i < 2; i++) {
        struct il_boot_side *side = &b->side[i];
        side->handles = il_alloc(side->rows, sizeof(*side->handles));
        status = side->handles ? il_live_add(b->live, i, side->rows, side->keys,
                                             side->data, side->handles)
                               : IL_ENOMEM;
        if (status == IL_OK && atomic_load(&b->cancel))
            status = IL_ECANCEL;
    }
    if (status != IL_OK)
        return il_fail(&b->error, status, "bootstrap: %s", il_status_text(status));
    return IL_OK;
}

static void *run_boot(void *argument)
{
    struct il_boot *b = argument;
    enum il_status status = il_boot_load(b, 0);
    if (status == IL_OK)
        status = il_boot_load(b, 1);
    for (int i = 0; status == IL_OK && i < 2; i++)
        if (b->side[i].rows == 0)
            status = il_fail(&b->error, IL_EBOOTSTRAP, "side %c has no rows", 'A' + i);
    if (status == IL_OK)
        status = find_links(b);
    if (status == IL_OK)
        status = save_model(b);
    if (status == IL_OK)
        status = go_live(b);
    for (int i = 0; i < 2; i++)
        il_boot_drop_rows(&b->side[i]);
    b->seconds = il_clock_seconds() - b->began;
    b->status = status;
    atomic_store(&b->done, 1);
    return NULL;
}

static void free_boot(struct il_stream *s)
{
    struct il_boot *b = s->boot;
    s->boot = NULL;
    il_live_close(&b->live);
    il_model_free(&b->model);
    for (int i = 0; i < 2; i++) {
        struct il_stream_side *x = &s->side[i];
        for (size_t k = 0; k < x->journal.count; k++)
            x->names.names[x->journal.items[k]].flags &= (uint8_t)~NAME_CHANGED;
        x->journal.count = 0;
        il_boot_drop_rows(&b->side[i]);
        il_free(b->side[i].keys);
        il_free(b->side[i].handles);
    }
    il_free(b->warm);
    il_free(b);
}

void il_stream_boot_stop(struct il_stream *s)
{
    if (!s->boot)
        return;
    atomic_store(&s->boot->cancel, 1);
    pthread_join(s->boot->thread, NULL);
    free_boot(s);
}

/* The links that stand, but the seeds. */
static enum il_status give_links(struct il_stream *s, struct il_boot *b)
{
    const struct il_names *na = &s->side[0].names, *nb = &s->side[1].names;
    b->warm = il_alloc((size_t)s->links, sizeof(*b->warm));
    if (!b->warm)
        return IL_ENOMEM;
    for (size_t a = 0; a < na->count; a++) {
        const struct il_name *name = &na->names[a];
        if (name->id_bytes == 0 || name->partner == NAME_NONE ||
            name->origin == IL_ORIGIN_SEED)
            continue;
        b->warm[b->warm_count++] = (struct il_boot_link){
            {name->key, nb->names[name->partner].key}, name->posterior};
    }
    return IL_OK;
}

/* Signals are for the threads of the caller. */
static int start_thread(struct il_boot *b)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&b->thread, NULL, run_boot, b);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

static enum il_status start(struct il_stream *s, enum il_bootstrap how,
                            struct il_error *error)
{
    struct il_boot *b = il_alloc_zero(1, sizeof(*b));
    if (!b)
        return il_fail(error, IL_ENOMEM, "bootstrap: no memory to begin it");
    atomic_init(&b->done, 0);
    atomic_init(&b->cancel, 0);
    b->stream = s;
    b->seeds = s->seed_keys;
    b->seed_count = s->seed_count;
    b->round = s->round + 1;
    b->agreement = s->model ? il_model_agreement(s->model) : 0;
    b->cold = how == IL_BOOTSTRAP_COLD || b->agreement < WARM_AGREEMENT_MIN;
    b->since = s->since;
    b->began = il_clock_seconds();
    enum il_status status = b->cold ? IL_OK : give_links(s, b);
    if (status == IL_OK && start_thread(b) != 0)
        status = IL_ENOMEM;
    if (status != IL_OK) {
        il_free(b->warm);
        il_free(b);
        return il_fail(error, status, "bootstrap: no memory to begin it");
    }
    s->boot = b;
    s->base = rows_now(s);
    il_stream_say(s, 6,
                  "bootstrap %" PRIu32 " begins: %" PRIu64 " and %" PRIu64
                  " rows, %zu links to start from",
                  b->round, s->side[0].rows, s->side[1].rows, b->warm_count);
    return IL_OK;
}

/* The handles of the snapshot's rows become those of their names; the old ones go. */
static enum il_status take_handles(struct il_stream *s, struct il_boot *b, int side)
{
    struct il_names *n = &s->side[side].names;
    enum il_status status = IL_OK;
    for (size_t i = 0; i < n->count; i++)
        n->names[i].handle = IL_LIVE_NONE;
    for (size_t i = 0; status == IL_OK && i < b->side[side].rows; i++) {
        const uint32_t name = il_names_find_key(n, b->side[side].keys[i]);
        const uint32_t handle = b->side[side].handles[i];
        if (name == NAME_NONE) {
            /* Gone, and forgotten, since. */
            if (handle != IL_LIVE_NONE)
                status = il_live_remove(s->live, side, handle);
            continue;
        }
        n->names[name].handle = handle;
        status = il_names_handle(n, name, handle);
    }
    return status;
}

/* Ids that changed since the snapshot: as they are now. */
static enum il_status catch_up(struct il_stream *s, int side, struct il_error *error)
{
    struct il_stream_side *x = &s->side[side];
    enum il_status status = IL_OK;
    for (size_t i = 0; status == IL_OK && i < x->journal.count; i++) {
        const uint32_t name = x->journal.items[i];
        struct il_name *at = &x->names.names[name];
        if (at->flags & NAME_ROW) {
            status = il_store_get(x->store, il_name_text(&x->names, name), at->id_bytes,
                                  x->row, NULL, error);
            if (status == IL_OK)
                status = il_stream_batch_add(s, side, name, x->row, error);
        } else if (at->handle != IL_LIVE_NONE) {
            if (il_live_remove(s->live, side, at->handle) != IL_OK)
                status = il_stream_no_memory(s, error);
            at->handle = IL_LIVE_NONE;
        }
    }
    return status == IL_OK ? il_stream_batch_flush(s, side, error) : status;
}

static void refuse(struct il_stream *s, const struct il_error *why)
{
    s->refused = 1;
    snprintf(s->why, sizeof(s->why), "%.399s", why->text);
    s->since_noted = UINT64_MAX; /* to be written again */
    il_stream_say(s, 4, "bootstrap refused: %s", s->why);
}

/* From here on the stream fails with what fails. */
static enum il_status swap(struct il_stream *s, struct il_boot *b, struct il_error *error)
{
    char name[STREAM_MODEL_NAME];
    struct il_error ignored;
    const uint32_t old = s->round;
    il_live_close(&s->live);
    il_model_free(&s->model);
    s->live = b->live;
    s->model = b->model;
    b->live = NULL;
    b->model = NULL;
    enum il_status status = IL_OK;
    for (int i = 0; status == IL_OK && i < 2; i++)
        status = take_handles(s, b, i);
    if (status != IL_OK)
        return il_stream_no_memory(s, error);
    for (int i = 0; status == IL_OK && i < 2; i++)
        status = catch_up(s, i, error);
    s->round = b->round;
    if (status == IL_OK && il_event_log_round(s->log, s->round) != IL_OK)
        status = il_stream_no_memory(s, error);
    if (status == IL_OK)
        status = il_stream_settle(s, 1, b->cold ? 2 : 1, error);
    if (status == IL_OK)
        status = il_stream_note_changes(s, error);
    if (status == IL_OK)
        status = il_stream_publish(s, s->config.sync != IL_SYNC_OS, error);
    if (status != IL_OK || old == 0)
        return status;
    /* What is left over is removed by the next open. */
    il_stream_model_name(old, name);
    if (il_dir_remove(&s->dir, name, &ignored) != IL_OK)
        il_stream_say(s, 4, "%s", ignored.text);
    return IL_OK;
}

/* Waits for the thread and takes what it left. *outcome: IL_OK; what ended it. Returns
   what the stream itself fails with. */
static enum il_status take_over(struct il_stream *s, enum il_status *outcome,
                                struct il_error *error)
{
    struct il_boot *b = s->boot;
    pthread_join(b->thread, NULL);
    enum il_status status = IL_OK;
    *outcome = b->status;
    s->since -= b->since;
    s->since_noted = UINT64_MAX;
    s->boot_seconds = b->seconds;
    s->boot_ended = il_clock_seconds();
    if (b->status == IL_OK) {
        s->refused = 0;
        s->why[0] = 0;
        il_stream_say(s, 6, "bootstrap %" PRIu32 " took %.1f s, estimated precision %.3f",
                      b->round, b->seconds, b->precision);
        status = swap(s, b, error);
    } else {
        refuse(s, &b->error);
        *error = b->error;
    }
    free_boot(s);
    return status == IL_OK ? IL_OK : il_stream_fail(s, status, error);
}

uint64_t il_stream_since(const struct il_stream *s)
{
    return s->since - (s->boot ? s->boot->since : 0);
}

static int is_due(const struct il_stream *s)
{
    const struct il_stream_config *c = &s->config;
    const uint64_t least =
        s->side[0].rows < s->side[1].rows ? s->side[0].rows : s->side[1].rows;
    if (s->base == 0) {
        if (least < c->bootstrap_rows)
            return 0;
        const size_t here = il_stream_seeds_here(s);
        const uint64_t times = here >= SEEDS_ENOUGH ? ROWS_ENOUGH : ROWS_MORE;
        return here >= STREAM_SEEDS_MIN &&
               (here == s->seed_count || least / times >= c->bootstrap_rows);
    }
    double share = c->bootstrap_after;
    if (share <= 0 && s->round == 0)
        share = AFTER_DEFAULT;
    if (s->since == 0)
        return 0;
    if (share > 0 && (double)s->since >= share * (double)s->base)
        return 1;
    return !s->refused && c->bootstrap_seconds > 0 &&
           il_clock_seconds() - s->boot_ended >= c->bootstrap_seconds;
}

enum il_status il_stream_turn(struct il_stream *s, struct il_error *error)
{
    struct il_error own = {{0}};
    enum il_status outcome = IL_OK;
    if (s->boot && atomic_load(&s->boot->done)) {
        enum il_status status = take_over(s, &outcome, &own);
        if (status != IL_OK) {
            *error = own;
            return status;
        }
    }
    if (s->boot || !is_due(s))
        return IL_OK;
    s->base = rows_now(s); /* also of one that cannot begin */
    if (start(s, s->round == 0 ? IL_BOOTSTRAP_COLD : IL_BOOTSTRAP_WARM, &own) != IL_OK)
        refuse(s, &own);
    return IL_OK;
}

enum il_status il_stream_bootstrap(struct il_stream *s, enum il_bootstrap how, int wait,
                                   struct il_error *error)
{
    struct il_error own;
    enum il_status outcome = IL_OK;
    if (!error)
        error = &own;
    if (s->failed != IL_OK)
        return il_stream_fail(s, s->failed, error);
    if (how != IL_BOOTSTRAP_WARM && how != IL_BOOTSTRAP_COLD)
        return il_fail(error, IL_EARG, "bootstrap %d, wanted %d or %d", (int)how,
                       IL_BOOTSTRAP_WARM, IL_BOOTSTRAP_COLD);
    if (s->side[0].dirty || s->side[1].dirty)
        return il_fail(error, IL_EARG, "%s: a bootstrap before rows were committed",
                       il_path_tail(s->path));
    if (s->boot && !wait)
        return IL_OK;
    if (s->boot) {
        /* What is running may have begun before rows that are committed by now. */
        enum il_status status = take_over(s, &outcome, error);
        if (status != IL_OK)
            return status;
    }
    enum il_status status = start(s, how, error);
    if (status != IL_OK || !wait || !s->boot)
        return status;
    status = take_over(s, &outcome, error);
    return status == IL_OK ? outcome : status;
}
