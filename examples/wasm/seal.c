/* For the test of hostile files, a module of its own: bytes of a damaged `.slm` file get the length and the hash of a whole one, so that
 * what stands behind these is reached. */
#include <stdint.h>
#include <string.h>
#include <xxhash.h>

static unsigned char file[1 << 20];

__attribute__((export_name("room"))) void *room(void)
{
	return file;
}

__attribute__((export_name("seal"))) void seal(uint32_t size)
{
	uint64_t length = size;
	XXH128_canonical_t hash;
	memcpy(file + 16, &length, sizeof length);
	XXH128_canonicalFromHash(&hash, XXH3_128bits(file, size - sizeof hash));
	memcpy(file + size - sizeof hash, &hash, sizeof hash);
}
