/* How the tests were built: sanitizers enlarge stack frames, and so does code that is not optimised. */
#ifndef TEST_BUILD_KIND_H
#define TEST_BUILD_KIND_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#if !defined(SANITIZED)
#define SANITIZED 0
#endif
#if defined(__OPTIMIZE__)
#define OPTIMISED 1
#else
#define OPTIMISED 0
#endif

#endif
