/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of isolink map; argv[0] is "map fit" and so on. */
#ifndef IL_CMD_MAP_H
#define IL_CMD_MAP_H

int il_cmd_map_fit(int argc, char **argv);
int il_cmd_map_info(int argc, char **argv);
int il_cmd_map_apply(int argc, char **argv);

#endif
