/* SPDX-License-Identifier: Apache-2.0 */
/* For who has a store and something else that must become durable after it. */
#ifndef IL_STORE_SYNC_H
#define IL_STORE_SYNC_H

#include <isolink/store.h>

/* Commits what was put, and makes it durable now, whatever the store's config says.
   Returns as il_store_commit; error must be there. */
IL_MUST_CHECK enum il_status il_store_sync(struct il_store *store,
                                           struct il_error *error);

#endif
