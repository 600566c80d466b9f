/*
 * Changes `.slm` files by their structure: the header with its size, one section, one value of a section; and splices of two files, the
 * header of one over the sections of the other, or single sections. The target makes size and hash right.
 */
#include "format/slm_layout.h"
#include "mutate.h"

#include <math.h>

typedef struct parts {
	sl_arena arena;
	size_t header, sections, sections_size; /* bytes; the header begins behind the prelude */
	slm_table table;
	uint8_t present[SLM_N_SECTIONS];
	uint32_t n_present;
} parts;

/* False, and nothing is held, if the header cannot be read. */
static int take_apart(const uint8_t *file, size_t size, parts *p)
{
	score_error error;
	forest f;
	if (size < SLM_PRELUDE_BYTES + SLM_HASH_BYTES || slm_get_u64(file + 24) > size - SLM_PRELUDE_BYTES - SLM_HASH_BYTES)
		return 0;
	p->header = (size_t)slm_get_u64(file + 24);
	p->sections = sl_round_up(SLM_PRELUDE_BYTES + p->header, SLM_ALIGN);
	if (p->sections > size - SLM_HASH_BYTES)
		return 0;
	p->sections_size = size - SLM_HASH_BYTES - p->sections;
	p->n_present = 0;
	memset(&f, 0, sizeof f);
	memset(&p->table, 0, sizeof p->table);
	sl_arena_init(&p->arena, NULL, (size_t)64 << 20);
	if (slm_header_read(file + SLM_PRELUDE_BYTES, p->header, p->sections_size, &p->arena, &f, &p->table, &error) == SCORE_OK)
		for (uint8_t i = 0; i < SLM_N_SECTIONS; i++)
			if (p->table.sections[i].present && p->table.sections[i].bytes)
				p->present[p->n_present++] = i;
	sl_arena_free(&p->arena);
	return p->n_present > 0;
}

static const slm_section *pick(const parts *p, unsigned *seed)
{
	return p->table.sections + p->present[mutate_below(seed, p->n_present)];
}

/* A header of another size moves the sections, which stand at multiples of 64. */
static size_t change_header(uint8_t *file, size_t size, size_t max_size, const parts *p)
{
	uint8_t *sections = malloc(p->sections_size + SLM_HASH_BYTES);
	if (!sections)
		return size;
	memcpy(sections, file + p->sections, p->sections_size + SLM_HASH_BYTES);
	size_t whole = SLM_PRELUDE_BYTES + p->header;
	const size_t header = mutate_part(file, &whole, max_size, SLM_PRELUDE_BYTES, p->header);
	const size_t at = sl_round_up(SLM_PRELUDE_BYTES + header, SLM_ALIGN), wanted = at + p->sections_size + SLM_HASH_BYTES;
	if (wanted <= max_size) {
		memset(file + SLM_PRELUDE_BYTES + header, 0, at - SLM_PRELUDE_BYTES - header);
		memcpy(file + at, sections, p->sections_size + SLM_HASH_BYTES);
		slm_put_u64(file + 24, header);
		slm_put_u64(file + 16, wanted);
	}
	free(sections);
	return wanted <= max_size ? wanted : whole;
}

static void change_value(uint8_t *section, const slm_section *s, unsigned *seed)
{
	static const double floats[] = {0.0, -0.0, 1.0, -1.0, 0.5, 1e300, -1e300, 1e-310, (double)NAN, (double)INFINITY, 3e9, 4294967296.0};
	const uint64_t i = s->count ? mutate_below(seed, s->count > 1u << 20 ? 1u << 20 : (uint32_t)s->count) : 0;
	if (s->is_float) {
		const double x = floats[mutate_below(seed, sizeof floats / sizeof floats[0])];
		slm_floats_to_bytes(&x, 1, s->bits, section + i * (s->bits / 8));
		return;
	}
	const uint32_t kind = mutate_below(seed, 5), bits = s->bits;
	const uint32_t value = kind == 0 ? 0 : kind == 1 ? UINT32_MAX : kind == 2 ? 1 : mutate_below(seed, kind == 3 ? 8 : 1u << 24);
	for (uint32_t b = 0; b < bits; b++) {
		const uint64_t at = i * bits + b;
		const uint8_t bit = (uint8_t)(1u << at % 8);
		section[at / 8] = value >> b & 1 ? section[at / 8] | bit : section[at / 8] & (uint8_t)~bit;
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	parts p;
	const uint32_t what = mutate_below(&seed, 8);
	if (what == 0 || !take_apart(data, size, &p))
		return LLVMFuzzerMutate(data, size, max_size);
	if (what < 3)
		return change_header(data, size, max_size, &p);
	for (uint32_t n = 1 + mutate_below(&seed, 3); n > 0; n--) {
		const slm_section *s = pick(&p, &seed);
		uint8_t *section = data + p.sections + s->offset;
		if (what < 5)
			(void)LLVMFuzzerMutate(section, (size_t)s->bytes, (size_t)s->bytes);
		else
			change_value(section, s, &seed);
	}
	return size;
}

static void copy_sections(uint8_t *out, const parts *a, const uint8_t *b, const parts *from, unsigned *seed)
{
	for (uint32_t n = 1 + mutate_below(seed, 3); n > 0; n--) {
		const uint32_t i = a->present[mutate_below(seed, a->n_present)];
		const slm_section *to = a->table.sections + i, *s = from->table.sections[i].present ? from->table.sections + i : pick(from, seed);
		const uint64_t bytes = to->bytes < s->bytes ? to->bytes : s->bytes;
		memcpy(out + a->sections + to->offset, b + from->sections + s->offset, (size_t)bytes);
	}
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out, size_t max_size,
	unsigned seed)
{
	parts p, q;
	if (a_size > max_size || !take_apart(a, a_size, &p) || !take_apart(b, b_size, &q))
		return 0;
	const size_t spliced = p.sections + q.sections_size + SLM_HASH_BYTES;
	if (mutate_below(&seed, 4) || spliced > max_size) {
		memcpy(out, a, a_size);
		copy_sections(out, &p, b, &q, &seed);
		return a_size;
	}
	memcpy(out, a, p.sections);
	memcpy(out + p.sections, b + q.sections, q.sections_size + SLM_HASH_BYTES);
	slm_put_u64(out + 16, spliced);
	return spliced;
}
