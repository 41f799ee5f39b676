/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISOLINK_VERSION_H
#define ISOLINK_VERSION_H

/* The one place the version is written; the Makefile and the man page read it from here.
 */
#define IL_VERSION_MAJOR 0
#define IL_VERSION_MINOR 1
#define IL_VERSION_PATCH 0
#define IL_VERSION "0.1.0"

#endif
