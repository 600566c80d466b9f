/*
 * The floating-point control word. A host may have told the processor to flush denormals to zero, or to round otherwise than to
 * nearest. Cuts, leaves and sums can be denormal, so calls run under the default word and give the host's back.
 */
#include "base.h"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

#if defined(__SSE2__)
#define DEFAULT_MXCSR 0x1f80u
#define MXCSR_FLAGS 0x3fu

unsigned sl_enter_default_float(void)
{
	unsigned host = _mm_getcsr();
	if ((host & ~MXCSR_FLAGS) != DEFAULT_MXCSR)
		_mm_setcsr(DEFAULT_MXCSR);
	return host;
}

void sl_leave_default_float(unsigned host)
{
	if ((host & ~MXCSR_FLAGS) != DEFAULT_MXCSR)
		_mm_setcsr(host);
}
#elif defined(__aarch64__)
unsigned sl_enter_default_float(void)
{
	uint64_t host;
	__asm__ volatile("mrs %0, fpcr" : "=r"(host));
	if (host)
		__asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
	return (unsigned)host;
}

void sl_leave_default_float(unsigned host)
{
	if (host)
		__asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)host));
}
#else
unsigned sl_enter_default_float(void)
{
	return 0;
}

void sl_leave_default_float(unsigned host)
{
	(void)host;
}
#endif
