/* SPDX-License-Identifier: Apache-2.0 */
#include "report_map.h"

#include <inttypes.h>

#include "cli.h"
#include "json_out.h"
#include "report.h"

static void put_side(FILE *stream, const struct il_map_info *info, int side)
{
    fprintf(stream, "side %c      rows of %zu coordinates, on %zu axes", "AB"[side],
            info -> dim[side], info -> columns[side]);
    if (info->model[side][0] != 0) {
        fputs(", model ", stream);
        il_put_text(stream, info->model[side]);
    }
    fputc('\n', stream);
}

static void put_way(FILE *stream, const struct il_map_info *info, int way)
{
    const struct il_map_figures *f = &info->way[way];

    fprintf(stream, "%s      cosine %.4f, residual %.3f (median), %.3f (95 %%)\n",
            way ? "B to A" : "A to B", f->cosine, f->residual[2], f->residual[4]);
    fprintf(stream,
            "            found first %.4f, among ten %.4f, of %s rows; %s links judged\n",
            f->recall1, f->recall10, il_grouped((size_t)f->candidates).text,
            il_grouped((size_t)f->judged).text);
    fprintf(stream,
            "            rank %" PRIu64 ", lambda %g; suits %.1f %% of the rows\n",
            f->rank, f->lambda, 100 * f->suited);
}

void il_report_map(FILE *stream, const struct il_map_info *info)
{
    fprintf(stream, "map         %s", il_map_kind_text(info->kind));
    if (info->pieces > 1) {
        fprintf(stream, ", %zu clusters", info->pieces);
    }
    fprintf(stream, "; %s links, %.1f right by their posteriors\n",
            il_grouped((size_t)info->links).text, info->weight);
    put_side(stream, info, 0);
    put_side(stream, info, 1);
    fprintf(stream, "held out    in %u folds:\n", info->folds);
    put_way(stream, info, 0);
    put_way(stream, info, 1);
}

static json_t *side_json(const struct il_map_info *info, int side)
{
    json_t *out = json_object();

    json_object_set_new(out, "dim", il_json_whole(info->dim[side]));
    json_object_set_new(out, "axes", il_json_whole(info->columns[side]));
    json_object_set_new(out, "model", il_json_text(info->model[side]));
    return out;
}

static json_t *way_json(const struct il_map_figures *f)
{
    static const double shares[] = IL_MAP_QUANTILE_SHARES;
    json_t *out = json_object();
    json_t *list = json_array();

    for (size_t i = 0; i < IL_MAP_QUANTILES; i++) {
        json_t *entry = json_object();

        json_object_set_new(entry, "share", il_json_number(shares[i]));
        json_object_set_new(entry, "below", il_json_number(f->residual[i]));
        json_array_append_new(list, entry);
    }
    json_object_set_new(out, "cosine", il_json_number(f->cosine));
    json_object_set_new(out, "residual", list);
    json_object_set_new(out, "judged", il_json_whole((size_t)f->judged));
    json_object_set_new(out, "candidates", il_json_whole((size_t)f->candidates));
    json_object_set_new(out, "recall_at_1", il_json_number(f->recall1));
    json_object_set_new(out, "recall_at_10", il_json_number(f->recall10));
    json_object_set_new(out, "suited", il_json_number(f->suited));
    json_object_set_new(out, "lambda", il_json_number(f->lambda));
    json_object_set_new(out, "rank", il_json_whole((size_t)f->rank));
    return out;
}

char *il_report_map_json(const struct il_map_info *info)
{
    json_t *out = json_object();

    json_object_set_new(out, "schema", json_string("isolink-map-1"));
    json_object_set_new(out, "kind", json_string(il_map_kind_text(info->kind)));
    json_object_set_new(out, "clusters", il_json_whole(info->pieces));
    json_object_set_new(out, "links", il_json_whole((size_t)info->links));
    json_object_set_new(out, "weight", il_json_number(info->weight));
    json_object_set_new(out, "folds", il_json_whole(info->folds));
    json_object_set_new(out, "seed", il_json_whole((size_t)info->seed));
    json_object_set_new(out, "a", side_json(info, 0));
    json_object_set_new(out, "b", side_json(info, 1));
    json_object_set_new(out, "a_to_b", way_json(&info->way[0]));
    json_object_set_new(out, "b_to_a", way_json(&info->way[1]));
    return il_json_finish(out);
}
