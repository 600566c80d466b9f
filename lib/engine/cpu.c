/* Which instruction sets this processor, its operating system and this build have. */
#include "engine.h"
#include "kernels.h" /* what this build has */

bool engine_isa_available(score_isa isa)
{
	switch (isa) {
	case SCORE_ISA_AUTO:
	case SCORE_ISA_PORTABLE:
		return true;
#if HAVE_X86
	/* __builtin_cpu_supports() also asks whether the operating system saves the registers. */
	case SCORE_ISA_SSE42:
		return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
	case SCORE_ISA_AVX2:
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
	case SCORE_ISA_AVX512:
#if defined(SL_SIMULATED_AVX512)
		return true;
#endif
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
			__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
			__builtin_cpu_supports("avx512cd") &&
			__builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
			__builtin_cpu_supports("gfni");
#endif
#if HAVE_NEON
	case SCORE_ISA_NEON:
		return true;
#endif
	default:
		return false;
	}
}

score_isa engine_best_isa(void)
{
	static const score_isa by_speed[] = {SCORE_ISA_NEON, SCORE_ISA_SSE42, SCORE_ISA_AVX2, SCORE_ISA_AVX512};
	score_isa best = SCORE_ISA_PORTABLE;
	for (size_t i = 0; i < sizeof by_speed / sizeof by_speed[0]; i++)
		best = engine_isa_available(by_speed[i]) ? by_speed[i] : best;
	return best;
}
