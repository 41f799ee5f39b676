/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: rows come one by one on two sides, each is linked when it comes, and links are
 * events. The state lies in a directory and survives kill and power loss. */
#ifndef ISOLINK_STREAM_H
#define ISOLINK_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include <isolink/link.h>
#include <isolink/status.h>
#include <isolink/store.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What happened to a link; the numbers stand in files. */
enum il_event_kind {
    IL_EVENT_LINK = 1,    /**< two rows are linked from now on */
    IL_EVENT_CONFIRM = 2, /**< a link stands, its posterior changed: a bootstrap */
    IL_EVENT_RETRACT = 3  /**< a link stands no more: a better partner, a row that was
                             removed or replaced, a bootstrap */
};

/** "link", "confirm" or "retract". Any thread. */
IL_API const char *il_event_text(enum il_event_kind kind);

/** One event. */
struct il_event {
    uint64_t seq;     /**< 1, 2, ... without gaps, for the life of the state */
    int64_t time_ns;  /**< of its commit, ns since 1970 UTC; never used for order */
    uint64_t link_id; /**< of the pair of ids: the same pair, the same number, always */
    enum il_event_kind kind;
    enum il_origin origin;   /**< IL_ORIGIN_SEED: a pair that was given */
    double posterior;        /**< of the link; of a retraction: what it was */
    uint32_t round;          /**< bootstrap by which it is judged, 1, 2, ... */
    const void *a_id, *b_id; /**< borrowed for the call; not zero-terminated */
    size_t a_bytes, b_bytes;
};
/** Is told each event once it is durable, in order of seq. */
typedef void il_event_fn(void *context, const struct il_event *event);

/** A known pair by its ids. */
struct il_stream_seed {
    const void *a_id, *b_id;
    size_t a_bytes, b_bytes;
};

/** How a stream is opened. Fill with il_stream_config_init, then change what you want. */
struct il_stream_config {
    size_t struct_bytes; /**< sizeof(struct il_stream_config): set by init */
    /* Of a new state; when it exists already, those that are set must be equal. */
    size_t dim[2];                      /**< coordinates of the rows of side A and B */
    const char *model[2];               /**< names of the models; NULL: "" */
    enum il_codec codec;                /**< of the stores; default IL_CODEC_F32 */
    const struct il_stream_seed *seeds; /**< copied; may be longer than before */
    size_t seed_count;
    uint64_t seed; /**< random seed number */

    unsigned threads;            /**< of linking, 1..256; 0 (default): one per core */
    unsigned background_threads; /**< of bootstraps; 0 (default): half of them, at least
                                    one */
    enum il_sync sync;           /**< of commits; default IL_SYNC_ALWAYS */
    unsigned sync_ms;
    enum il_io io;
    double posterior_min;  /**< as of il_link_config; below 0 (default): not set */
    size_t bootstrap_rows; /**< first bootstrap at so many rows of the smaller side and
                              all seeds; default 300 */
    /** Next bootstrap when so large a share of the rows of the last one came, went or
     * changed since; default 0.2; 0: never. */
    double bootstrap_after;
    double bootstrap_seconds; /**< or after so long with any change; 0 (default): never */
    il_event_fn *event;       /**< may be NULL */
    void *event_context;
    /** One line a message, without its end; may be NULL. level as in syslog: 3 error, 4
       warning, 6 info, 7 debug. The thread of the call, or of a bootstrap. */
    void (*log)(void *context, int level, const char *text);
    void *log_context;
};
IL_API void il_stream_config_init(struct il_stream_config *config);

struct il_stream;

/**
 * Opens the state in a directory, as its one owner; makes it where there is none (then
 * dim and seeds must be set). Recovers: rows that are durable are linked again, and what
 * differs from the events that are durable becomes events, told by the first commit.
 * \return IL_OK; IL_ELOCKED: another process has it; IL_EARG; IL_EIO; IL_EFORMAT;
 * IL_ECORRUPT; IL_EVERSION; IL_ELIMIT: two ids have the same 64-bit hash; IL_ENOMEM
 * One thread per stream: calls of several threads must not overlap.
 */
IL_API IL_MUST_CHECK enum il_status il_stream_open(struct il_stream **out,
                                                   const char *path,
                                                   const struct il_stream_config *config,
                                                   struct il_error *error);
/** Ends a running bootstrap, closes; what was not committed is gone. */
IL_API void il_stream_close(struct il_stream **stream);

/**
 * Adds a row to a side (0 A, 1 B), or replaces the one of the same id (the same row again
 * changes nothing). *taken (may be NULL) = 0 for a row of zeros or with a value that is
 * not finite: it is counted, not kept, and IL_OK.
 * \return IL_OK; IL_EARG (id, side); IL_EIO: only close may follow; IL_ENOMEM
 */
IL_API IL_MUST_CHECK enum il_status il_stream_push(struct il_stream *stream, int side,
                                                   const void *id, size_t id_bytes,
                                                   const float *row, int *taken,
                                                   struct il_error *error);
/** Removes a row; *found may be NULL. */
IL_API IL_MUST_CHECK enum il_status il_stream_remove(struct il_stream *stream, int side,
                                                     const void *id, size_t id_bytes,
                                                     int *found, struct il_error *error);

/**
 * A small note under a name (a position in a source, say), durable with the next commit:
 * with it or after it the rows pushed before it are durable, never the note without them.
 * \param bytes  at most 4,096; 0 removes it
 */
IL_API IL_MUST_CHECK enum il_status il_stream_note(struct il_stream *stream,
                                                   const char *name, const void *data,
                                                   size_t bytes, struct il_error *error);
/** The note of a name: *bytes 0 when there is none. Borrowed until the next call. */
IL_API const void *il_stream_noted(const struct il_stream *stream, const char *name,
                                   size_t *bytes);

/**
 * Makes what was pushed, removed and noted durable, links it, makes the events durable
 * and tells them. Takes over a bootstrap that has ended, starts one that is due. \return
 * IL_OK; IL_EIO: only close may follow; IL_ENOMEM Cost: two syncs (IL_SYNC_ALWAYS), and
 * per row some thousands of products.
 */
IL_API IL_MUST_CHECK enum il_status il_stream_commit(struct il_stream *stream,
                                                     struct il_error *error);

/** How a bootstrap begins. */
enum il_bootstrap {
    IL_BOOTSTRAP_WARM = 0, /**< from the links that stand; from the seeds where the sides
                              are so unlike that too many of those may be wrong */
    IL_BOOTSTRAP_COLD = 1  /**< from the seeds: the result depends on the rows and seeds
                              alone, not on what came when */
};
/**
 * Starts a bootstrap over the committed rows. wait 1: until it is taken over and its
 * events are durable and told; 0: in the background, a later commit takes it over.
 * \return IL_OK; IL_EBOOTSTRAP (waited for, refused: the links that stood still stand);
 * IL_EARG: uncommitted rows; IL_EIO; IL_ENOMEM
 */
IL_API IL_MUST_CHECK enum il_status il_stream_bootstrap(struct il_stream *stream,
                                                        enum il_bootstrap how, int wait,
                                                        struct il_error *error);

/** What a stream says of itself; counts since the state was made unless said. */
struct il_stream_info {
    uint64_t rows[2];    /**< live */
    uint64_t refused[2]; /**< rows of zeros, not finite, too large for the codec, or whose
                            id has the hash of another; since open */
    uint64_t arrivals[2];  /**< rows pushed, since open */
    uint64_t removed[2];   /**< since open */
    uint64_t seq;          /**< last event */
    uint64_t links;        /**< that stand, seeds included */
    uint64_t events[3];    /**< links, confirmations, retractions, since open */
    uint32_t round;        /**< bootstraps that were taken over; 0: none yet */
    int bootstrapping;     /**< 1: one is running */
    int refused_bootstrap; /**< 1: the last one was refused; `why` */
    char why[400];
    uint64_t since; /**< rows that came, went or changed since the last one began */
    double bootstrap_seconds; /**< of the last one */
    double precision;         /**< estimated, of the links that stand */
    double shared;            /**< estimated number of documents on both sides */
    double decoy_rate;
    uint64_t pool; /**< anchors of the last bootstrap */
};
IL_API void il_stream_describe(const struct il_stream *stream,
                               struct il_stream_info *out);

/* Reading a state, also while somebody has it; nothing is locked or changed. */

struct il_events;
/** Opens the events of a state behind a seq (0: all). \return IL_OK; IL_EIO; IL_EFORMAT:
 * no state; IL_ECORRUPT; IL_EVERSION; IL_ENOMEM */
IL_API IL_MUST_CHECK enum il_status il_events_open(struct il_events **out,
                                                   const char *path, uint64_t since,
                                                   struct il_error *error);
/** The next durable event; *found 0 when there is none yet: a later call may find one.
 * Texts are borrowed until the next call. */
IL_API IL_MUST_CHECK enum il_status il_events_next(struct il_events *events,
                                                   struct il_event *event, int *found,
                                                   struct il_error *error);
IL_API void il_events_close(struct il_events **events);

#ifdef __cplusplus
}
#endif
#endif
