/* SPDX-License-Identifier: Apache-2.0 */
/* Mapped files under a bound on resident memory; the bound itself is in
 * <isolink/memory.h>. */
#ifndef IL_SCRATCH_H
#define IL_SCRATCH_H

#include <stddef.h>

/** Pages of a mapped file that were touched are resident memory too: while there is a
 * limit they are given back with those of the scratch files. The mapping must be shared,
 * or nobody may have written to it. Any thread. */
void il_scratch_watch(void *start, size_t bytes);
/** Before it is unmapped. Any thread. */
void il_scratch_forget(void *start);

#endif
