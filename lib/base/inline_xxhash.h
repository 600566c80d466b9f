/* xxHash from its header, for hashes of few bytes, of which a call would be half; a vendor may ask for that everywhere. */
#ifndef SL_INLINE_XXHASH_H
#define SL_INLINE_XXHASH_H

#ifndef XXH_INLINE_ALL
#define XXH_INLINE_ALL
#endif
#include <xxhash.h>

#endif
