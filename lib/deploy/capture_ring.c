/*
 * A bounded queue of records of any length: many producers, one consumer, no locks.
 *
 * Comes in: sizes. Goes out: memory for a record, and later the record. Relies on C11 atomics only.
 *
 * The buffer is cut into granules of 64 bytes; positions count granules since the beginning and never wrap
 * (a 64-bit count). Beside the buffer stands a state word per granule: the lap it is for (position /
 * n_granules), and, in the first granule of a record, the record's length and kind:
 *
 *   FREE → BUSY     a producer takes the place at `head` by compare-and-swap. The word holds the length from
 *                   that moment on, so that anyone can step over the record: other producers move `head` on,
 *                   whoever was first. The lap in the word makes the swap of a producer that slept for a lap
 *                   fail.
 *   BUSY → READY    the producer has filled the record
 *   READY → TAKEN   the consumer has read it; → DONE once it is in a file, or → READY again
 *   DONE → FREE     of the next lap, in all granules; then `tail` moves on
 *
 * A record does not wrap: what is left at the end of the buffer becomes a record of kind PAD, which is DONE
 * from the start.
 *
 * Order. READY is stored with release and loaded with acquire: the consumer sees a whole record. `tail` is
 * stored with release after the words were freed, and loaded with acquire before a place is taken: a
 * producer never writes where the consumer still reads, and finds the words free. `tail` never passes
 * `head`: the consumer moves `head` on too before it frees. `head` itself only says where to look first and
 * is relaxed; the state word decides.
 *
 * A producer that stops between BUSY and READY (a thread stopped in a debugger, left by longjmp) keeps its
 * place. Records behind it are still read and written; but their room comes free only after that place, so
 * that the ring fills up within a lap, and calls are then lost, counted, until it goes on. No other record
 * is touched.
 */
#include "capture_parts.h"

enum { FREE, BUSY, READY, TAKEN, DONE, PAD };

#define KIND_BITS 4u
#define LENGTH_BITS 24u

static uint64_t word(uint64_t lap, uint64_t n, unsigned kind)
{
	return lap << (LENGTH_BITS + KIND_BITS) | n << KIND_BITS | kind;
}

static unsigned kind_of(uint64_t w)
{
	return (unsigned)(w & ((1u << KIND_BITS) - 1));
}

static uint64_t length_of(uint64_t w)
{
	return w >> KIND_BITS & ((1u << LENGTH_BITS) - 1);
}

static bool is_of_lap(uint64_t w, uint64_t lap)
{
	return word(lap, 0, 0) == (w & ~word(0, (1u << LENGTH_BITS) - 1, (1u << KIND_BITS) - 1));
}

static _Atomic uint64_t *state_at(const deploy_ring *ring, uint64_t position)
{
	return ring->states + (position & (ring->n_granules - 1));
}

static void *bytes_at(const deploy_ring *ring, uint64_t position)
{
	return ring->bytes + (position & (ring->n_granules - 1)) * RING_GRANULE;
}

bool deploy_ring_init(deploy_ring *ring, const score_allocator *allocator, uint64_t bytes)
{
	memset(ring, 0, sizeof *ring);
	ring->n_granules = bytes / RING_GRANULE;
	while (((uint64_t)1 << ring->shift) < ring->n_granules)
		ring->shift++;
	ring->bytes = sl_alloc(allocator, (size_t)bytes, SL_CACHE_LINE);
	ring->states = sl_alloc(allocator, (size_t)ring->n_granules * sizeof *ring->states, SL_CACHE_LINE);
	if (!ring->bytes || !ring->states) {
		deploy_ring_free(ring, allocator);
		return false;
	}
	/* Touched now, so that no producer pays for the first use of a page. */
	memset(ring->bytes, 0, (size_t)bytes);
	for (uint64_t i = 0; i < ring->n_granules; i++)
		atomic_init(ring->states + i, word(0, 0, FREE));
	atomic_init(&ring->head, 0);
	atomic_init(&ring->tail, 0);
	return true;
}

void deploy_ring_free(deploy_ring *ring, const score_allocator *allocator)
{
	sl_free(allocator, ring->bytes, (size_t)ring->n_granules * RING_GRANULE, SL_CACHE_LINE);
	sl_free(allocator, ring->states, (size_t)ring->n_granules * sizeof *ring->states, SL_CACHE_LINE);
	ring->bytes = NULL;
	ring->states = NULL;
}

/* Whoever comes first moves the head over the record at `position`. */
static void advance_head(deploy_ring *ring, uint64_t position, uint64_t n)
{
	atomic_compare_exchange_strong_explicit(&ring->head, &position, position + n, memory_order_relaxed,
		memory_order_relaxed);
}

#define MOST_AHEAD 16 /* granules */

/* Rings are larger than caches, and a stored line must come before the next locked instruction goes on: the place of the
 * record after this one is fetched while the host does something else. */
static void fetch_ahead(const deploy_ring *ring, uint64_t position, uint64_t n)
{
	__builtin_prefetch(state_at(ring, position + n), 1);
	for (uint64_t i = 0; i < n && i < MOST_AHEAD; i++)
		__builtin_prefetch(bytes_at(ring, position + n + i), 1);
}

void *deploy_ring_reserve(deploy_ring *ring, size_t bytes, uint64_t *position)
{
	const uint64_t n = (bytes + RING_GRANULE - 1) / RING_GRANULE;
	for (;;) {
		/* In this order: then the head is not before the tail. */
		const uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
		const uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
		const uint64_t lap = head >> ring->shift, left = ring->n_granules - (head & (ring->n_granules - 1));
		const uint64_t pad = n > left ? left : 0;
		if (head + pad + n - tail > ring->n_granules)
			return NULL;
		_Atomic uint64_t *state = state_at(ring, head);
		uint64_t seen = atomic_load_explicit(state, memory_order_acquire);
		if (seen == word(lap, 0, FREE) && atomic_compare_exchange_strong_explicit(state, &seen,
			pad ? word(lap, pad, PAD) : word(lap, n, BUSY), memory_order_acq_rel, memory_order_acquire)) {
			advance_head(ring, head, pad ? pad : n);
			if (pad)
				continue;
			*position = head;
			fetch_ahead(ring, head, n);
			return bytes_at(ring, head);
		}
		/* Another producer has the place. (Of another lap: the head was read too long ago.) */
		if (is_of_lap(seen, lap) && kind_of(seen) != FREE)
			advance_head(ring, head, length_of(seen));
	}
}

void deploy_ring_commit(deploy_ring *ring, uint64_t position)
{
	_Atomic uint64_t *state = state_at(ring, position);
	const uint64_t busy = atomic_load_explicit(state, memory_order_relaxed);
	atomic_store_explicit(state, word(position >> ring->shift, length_of(busy), READY), memory_order_release);
}

uint64_t deploy_ring_begin(const deploy_ring *ring)
{
	return atomic_load_explicit(&ring->tail, memory_order_relaxed);
}

/* The word of the record at `position`; 0 if there is none. */
static uint64_t record_at(const deploy_ring *ring, uint64_t position)
{
	const uint64_t w = atomic_load_explicit(state_at(ring, position), memory_order_acquire);
	return is_of_lap(w, position >> ring->shift) && kind_of(w) != FREE ? w : 0;
}

static void set_kind(deploy_ring *ring, uint64_t position, uint64_t w, unsigned kind)
{
	atomic_store_explicit(state_at(ring, position), word(position >> ring->shift, length_of(w), kind),
		memory_order_relaxed);
}

const void *deploy_ring_take(deploy_ring *ring, uint64_t *cursor)
{
	for (uint64_t w; (w = record_at(ring, *cursor)) != 0;) {
		const uint64_t position = *cursor;
		*cursor += length_of(w);
		if (kind_of(w) == READY) {
			set_kind(ring, position, w, TAKEN);
			return bytes_at(ring, position);
		}
	}
	return NULL;
}

void deploy_ring_untake(deploy_ring *ring, const void *record)
{
	const uint64_t granule = (uint64_t)((const unsigned char *)record - ring->bytes) / RING_GRANULE;
	_Atomic uint64_t *state = ring->states + granule;
	const uint64_t w = atomic_load_explicit(state, memory_order_relaxed);
	atomic_store_explicit(state, w - TAKEN + READY, memory_order_relaxed);
}

void deploy_ring_settle(deploy_ring *ring, bool done)
{
	uint64_t tail = deploy_ring_begin(ring), w;
	for (uint64_t at = tail; (w = record_at(ring, at)) != 0; at += length_of(w))
		if (kind_of(w) == TAKEN)
			set_kind(ring, at, w, done ? DONE : READY);
	while ((w = record_at(ring, tail)) != 0 && (kind_of(w) == DONE || kind_of(w) == PAD)) {
		const uint64_t n = length_of(w);
		advance_head(ring, tail, n);
		for (uint64_t i = 0; i < n; i++)
			atomic_store_explicit(state_at(ring, tail + i), word((tail + i + ring->n_granules) >> ring->shift, 0, FREE),
				memory_order_relaxed);
		tail += n;
		atomic_store_explicit(&ring->tail, tail, memory_order_release);
	}
}

uint64_t deploy_ring_used(const deploy_ring *ring)
{
	const uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
	return (atomic_load_explicit(&ring->head, memory_order_relaxed) - tail) * RING_GRANULE;
}
