/* SPDX-License-Identifier: Apache-2.0 */
/* Reads every byte of a store and goes on after what is damaged. Nothing is mapped here:
   a disk that cannot read gives an error, not a signal. */
#include "src/store/store_inner.h"

#include "src/base/base.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Times that the files are looked for anew when a writer replaced the manifest. */
#define TRIES 100

struct found {
    char name[STORE_NAME], shown[IL_DIR_SHOWN];
    struct il_file file;   /* fd -1: it could not be opened, */
    enum il_status status; /* for this reason */
    struct il_error why;
};

struct verify {
    struct il_dir dir;
    struct il_manifest m;
    il_store_fault_fn *fault;
    void *context;
    struct found basis, log, *segments, *deletions; /* m.count each */
    uint64_t damaged, unreadable;
};

/* A fault, counted by its kind; IL_ENOMEM is none, and ends the work. */
static enum il_status report(struct verify *v, const char *file, enum il_status status,
                             uint64_t rows_lost, const struct il_error *error)
{
    if (status == IL_OK || status == IL_ENOMEM)
        return status;
    if (status == IL_EIO)
        v->unreadable++;
    else
        v->damaged++;
    if (v->fault)
        v->fault(v->context, &(struct il_store_fault){.file = file,
                                                      .text = error->text,
                                                      .rows_lost = rows_lost});
    return IL_OK;
}

static void find(struct verify *v, struct found *f, const char *name, int *missing)
{
    int gone = 0;
    snprintf(f->name, sizeof(f->name), "%s", name);
    il_dir_shown(&v->dir, name, f->shown);
    if (il_dir_file(&v->dir, name, f->shown, &f->file, &gone, &f->why) != IL_OK)
        f->file.fd = -1;
    f->status = gone ? IL_ECORRUPT : IL_EIO;
    *missing |= gone;
}

static void let_go(struct verify *v)
{
    il_file_close(&v->basis.file);
    il_file_close(&v->log.file);
    for (size_t i = 0; i < v->m.count; i++) {
        if (v->segments)
            il_file_close(&v->segments[i].file);
        if (v->deletions)
            il_file_close(&v->deletions[i].file);
    }
    il_free(v->segments);
    il_free(v->deletions);
    v->segments = v->deletions = NULL;
    il_manifest_free(&v->m);
}

/* Opens all files that the manifest names, before one is read: a writer may remove them.
 */
static enum il_status find_all(struct verify *v, int *missing, struct il_error *error)
{
    char name[STORE_NAME];
    *missing = 0;
    v->basis.file.fd = v->log.file.fd = -1;
    v->segments = il_alloc(v->m.count, sizeof(*v->segments));
    v->deletions = il_alloc(v->m.count, sizeof(*v->deletions));
    if (!v->segments || !v->deletions) {
        il_free(v->segments);
        il_free(v->deletions);
        v->segments = v->deletions = NULL;
        il_fail(error, IL_ENOMEM, "%s: no memory to verify %zu segments",
                il_path_tail(v->dir.path), v->m.count);
        return IL_ENOMEM;
    }
    if (v->m.has_basis)
        find(v, &v->basis, STORE_BASIS, missing);
    il_store_name(v->m.log, "log", name);
    find(v, &v->log, name, missing);
    for (size_t i = 0; i < v->m.count; i++) {
        v->deletions[i].file.fd = -1;
        il_store_name(v->m.segments[i].number, "seg", name);
        find(v, &v->segments[i], name, missing);
        il_store_name(v->m.segments[i].del, "del", name);
        if (v->m.segments[i].del != 0)
            find(v, &v->deletions[i], name, missing);
    }
    return IL_OK;
}

/* What a file that is whole in memory holds; data is to be freed. */
static enum il_status load(const struct found *f, unsigned char **data, size_t *bytes,
                           struct il_error *error)
{
    *data = NULL;
    if (f->file.fd < 0) {
        *error = f->why;
        return f->status;
    }
    return il_file_read_all(&f->file, STORE_SMALL_MAX, data, bytes, error);
}

static enum il_status verify_basis(struct verify *v, struct il_error *error)
{
    unsigned char *data = NULL;
    size_t bytes = 0;
    uint64_t rows = 0;
    if (!v->m.has_basis)
        return IL_OK;
    float *mean = il_alloc(v->m.dim, sizeof(float));
    float *basis = il_alloc(v->m.dim * v->m.stored_dim, sizeof(float));
    enum il_status status = IL_ENOMEM;
    if (mean && basis) {
        status = load(&v->basis, &data, &bytes, error);
        if (status == IL_OK)
            status =
                il_basis_decode(v->basis.shown, data, bytes, &v->m, mean, basis, error);
    } else {
        il_fail(error, status, "%s: no memory for it", v->basis.shown);
    }
    il_free(mean);
    il_free(basis);
    il_free(data);
    /* Segments have a copy; but the store does not open without. */
    return report(v, v->basis.shown, status, rows, error);
}

/* The bitmap of segment i; *data is to be freed. NULL where there is none. */
static enum il_status load_bits(struct verify *v, size_t i, unsigned char **data,
                                const unsigned char **bits, struct il_error *error)
{
    size_t bytes = 0;
    *bits = NULL;
    *data = NULL;
    if (v->m.segments[i].del == 0)
        return IL_OK;
    enum il_status status = load(&v->deletions[i], data, &bytes, error);
    if (status == IL_OK)
        status = il_deletions_decode(v->deletions[i].shown, *data, bytes,
                                     &v->m.segments[i], bits, error);
    return report(v, v->deletions[i].shown, status, 0, error);
}

static uint64_t live_rows(const struct il_segment_chunk *c, const unsigned char *bits)
{
    uint64_t live = 0;
    for (size_t r = 0; r < c->rows; r++)
        live += !il_bit(bits, c->first + r);
    return live;
}

/* The chunks and ids of a segment that is open. */
static enum il_status verify_chunks(struct verify *v, const struct found *f,
                                    const struct il_segment *segment,
                                    const unsigned char *bits, struct il_error *error)
{
    struct il_segment_decoder *d = NULL;
    enum il_status status = il_segment_decoder_open(&d, segment, error);
    const size_t chunks = il_segment_info(segment)->chunks;
    for (size_t i = 0; status == IL_OK && i < chunks; i++) {
        struct il_segment_chunk c = il_segment_chunk(segment, i);
        status = il_segment_verify_chunk(d, i, error);
        if (status != IL_OK)
            status = report(v, f->shown, status, live_rows(&c, bits), error);
    }
    il_segment_decoder_close(&d);
    if (status == IL_OK)
        status = report(v, f->shown, il_segment_verify_ids(segment, error), 0, error);
    return status;
}

/* entry NULL: nothing is known of it. */
static enum il_status verify_segment(struct verify *v, const struct found *f,
                                     const struct il_manifest_segment *entry,
                                     const unsigned char *bits, struct il_error *error)
{
    struct il_segment *segment = NULL;
    struct il_bytes bytes = {.name = f->shown, .size = f->file.size, .file = &f->file};
    enum il_status status = f->status;
    if (f->file.fd < 0)
        *error = f->why;
    else
        status = il_segment_open(&segment, &bytes, error);
    if (status == IL_OK && entry)
        status = il_part_check(segment, f->shown, &v->m, entry, error);
    if (status != IL_OK)
        status = report(v, f->shown, status,
                        entry ? entry->rows - entry->deleted : UINT64_MAX, error);
    else
        status = verify_chunks(v, f, segment, bits, error);
    il_segment_close(&segment);
    return status;
}

static enum il_status verify_log(struct verify *v, struct il_error *error)
{
    struct il_log_info info = {.number = v->m.log, .dim = v->m.dim};
    struct il_bytes bytes = {
        .name = v->log.shown, .size = v->log.file.size, .file = &v->log.file};
    struct il_log_reader r = {0};
    uint64_t end = 0, records = 0;
    enum il_status status = v->log.status;
    memcpy(info.uuid, v->m.uuid, sizeof(info.uuid));
    if (v->log.file.fd < 0)
        *error = v->log.why;
    else
        status = il_log_open(&r, &bytes, &info, error);
    if (status == IL_OK)
        status = il_log_check(&r, v->m.log_synced, &end, &records, error);
    il_log_close(&r);
    return report(v, v->log.shown, status, UINT64_MAX, error);
}

static enum il_status verify_named(struct verify *v, struct il_error *error)
{
    enum il_status status = verify_basis(v, error);
    for (size_t i = 0; status == IL_OK && i < v->m.count; i++) {
        unsigned char *data = NULL;
        const unsigned char *bits = NULL;
        status = load_bits(v, i, &data, &bits, error);
        if (status == IL_OK)
            status = verify_segment(v, &v->segments[i], &v->m.segments[i], bits, error);
        il_free(data);
    }
    return status == IL_OK ? verify_log(v, error) : status;
}

/* Without a manifest: all segments that lie there, each by itself. */
struct orphans {
    struct verify *v;
    size_t names; /* that only a store gives */
    int read;
    enum il_status status;
    struct il_error *error;
};

static int each_orphan(void *context, const char *name)
{
    struct orphans *o = context;
    int missing = 0;
    struct found f;
    if (!il_store_own_name(name))
        return 0;
    o->names += strcmp(name, STORE_LOCK) != 0;
    if (!o->read || strcmp(name + strlen(name) - 4, ".seg") != 0)
        return 0;
    find(o->v, &f, name, &missing);
    o->status = verify_segment(o->v, &f, NULL, NULL, o->error);
    il_file_close(&f.file);
    return o->status != IL_OK;
}

static enum il_status verify_orphans(struct verify *v, int read, size_t *names,
                                     struct il_error *error)
{
    struct orphans o = {.v = v, .read = read, .error = error};
    enum il_status status = il_dir_list(&v->dir, each_orphan, &o, error);
    *names = o.names;
    return status == IL_OK ? o.status : status;
}

/* The manifest and the files that it names. IL_OK with *whole 0: there is none that can
   be read, which is reported. */
static enum il_status begin(struct verify *v, int *whole, struct il_error *error)
{
    char shown[IL_DIR_SHOWN];
    uint64_t last = 0;
    *whole = 0;
    for (int i = 0;; i++) {
        unsigned char *data = NULL;
        size_t bytes = 0, names = 0;
        int missing = 0;
        enum il_status status =
            il_store_load(&v->dir, STORE_MANIFEST, &data, &bytes, &missing, error);
        il_dir_shown(&v->dir, STORE_MANIFEST, shown);
        if (status == IL_OK)
            status = il_manifest_decode(&v->m, shown, data, bytes, error);
        il_free(data);
        if (missing) {
            const struct il_error why = *error;
            status = verify_orphans(v, 0, &names, error);
            if (status != IL_OK)
                return status;
            if (names == 0)
                return il_fail(error, IL_EFORMAT,
                               "%s: no store: no " STORE_MANIFEST " in it",
                               il_path_tail(v->dir.path));
            *error = why;
            status = IL_ECORRUPT;
        }
        if (status != IL_OK)
            return report(v, shown, status, UINT64_MAX, error);
        const uint64_t generation = v->m.generation;
        status = find_all(v, &missing, error);
        if (status != IL_OK)
            return status;
        if (!missing || generation == last || i == TRIES) {
            *whole = 1;
            return IL_OK;
        }
        last = generation;
        let_go(v);
    }
}

enum il_status il_store_verify(const char *path, il_store_fault_fn *fault, void *context,
                               struct il_error *error)
{
    struct verify v = {.fault = fault, .context = context};
    struct il_error own;
    size_t names = 0;
    int whole = 0;
    if (!error)
        error = &own;
    v.basis.file.fd = v.log.file.fd = -1;
    enum il_status status = il_dir_open(&v.dir, path, error);
    if (status != IL_OK)
        return status;
    status = begin(&v, &whole, error);
    if (status == IL_OK && whole)
        status = verify_named(&v, error);
    else if (status == IL_OK)
        status = verify_orphans(&v, 1, &names, error);
    let_go(&v);
    il_dir_close(&v.dir);
    if (status != IL_OK)
        return status;
    const uint64_t faults = v.damaged + v.unreadable;
    if (faults == 0)
        return IL_OK;
    return il_fail(error, v.damaged > 0 ? IL_ECORRUPT : IL_EIO,
                   "%s: %" PRIu64 " fault%s found", il_path_tail(path), faults,
                   faults == 1 ? "" : "s");
}
