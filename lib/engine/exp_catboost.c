/*
 * CatBoost's exponential, as its release 1.2.10 computes it for softmax and exponents on x86-64 with AVX2 (its
 * library/cpp/fast_exp): 2^(k / 2048), where k / 2048 is next to x / ln 2, times a cubic of what is left.
 *
 * Comes in: any x. Goes out: CatBoost's bits, without the C library's help. CatBoost looks 2^(k / 2048) up among 2,048
 * doubles; here it is the product of two entries of short tables in whole numbers, which tests/house/check_exp_tables.py
 * proves to round to the same double for every k, and which prints them.
 */
#include "link.h"

#include <math.h>

#define STEPS 2048u
#define FINE 32u
#define LOWEST (-708.3964185322641) /* where CatBoost takes x to be out of range */
#define HIGHEST 709.782712893384

/* 2^(i / 64) and 2^(i / 2048), times 2^63. */
static const uint64_t coarse[64] = {
	UINT64_C(0x8000000000000000), UINT64_C(0x8164d1f3bc030773), UINT64_C(0x82cd8698ac2ba1d7), UINT64_C(0x843a28c3acde4046),
	UINT64_C(0x85aac367cc487b15), UINT64_C(0x871f61969e8d1010), UINT64_C(0x88980e8092da8527), UINT64_C(0x8a14d575496efd9a),
	UINT64_C(0x8b95c1e3ea8bd6e7), UINT64_C(0x8d1adf5b7e5ba9e6), UINT64_C(0x8ea4398b45cd53c0), UINT64_C(0x9031dc431466b1dc),
	UINT64_C(0x91c3d373ab11c336), UINT64_C(0x935a2b2f13e6e92c), UINT64_C(0x94f4efa8fef70961), UINT64_C(0x96942d3720185a00),
	UINT64_C(0x9837f0518db8a96f), UINT64_C(0x99e0459320b7fa65), UINT64_C(0x9b8d39b9d54e5539), UINT64_C(0x9d3ed9a72cffb751),
	UINT64_C(0x9ef5326091a111ae), UINT64_C(0xa0b0510fb9714fc2), UINT64_C(0xa27043030c496819), UINT64_C(0xa43515ae09e6809e),
	UINT64_C(0xa5fed6a9b15138ea), UINT64_C(0xa7cd93b4e965356a), UINT64_C(0xa9a15ab4ea7c0ef8), UINT64_C(0xab7a39b5a93ed337),
	UINT64_C(0xad583eea42a14ac6), UINT64_C(0xaf3b78ad690a4375), UINT64_C(0xb123f581d2ac2590), UINT64_C(0xb311c412a9112489),
	UINT64_C(0xb504f333f9de6484), UINT64_C(0xb6fd91e328d17791), UINT64_C(0xb8fbaf4762fb9ee9), UINT64_C(0xbaff5ab2133e45fb),
	UINT64_C(0xbd08a39f580c36bf), UINT64_C(0xbf1799b67a731083), UINT64_C(0xc12c4cca66709456), UINT64_C(0xc346ccda24976407),
	UINT64_C(0xc5672a115506dadd), UINT64_C(0xc78d74c8abb9b15d), UINT64_C(0xc9b9bd866e2f27a3), UINT64_C(0xcbec14fef2727c5d),
	UINT64_C(0xce248c151f8480e4), UINT64_C(0xd06333daef2b2595), UINT64_C(0xd2a81d91f12ae45a), UINT64_C(0xd4f35aabcfedfa1f),
	UINT64_C(0xd744fccad69d6af4), UINT64_C(0xd99d15c278afd7b6), UINT64_C(0xdbfbb797daf23755), UINT64_C(0xde60f4825e0e9124),
	UINT64_C(0xe0ccdeec2a94e111), UINT64_C(0xe33f8972be8a5a51), UINT64_C(0xe5b906e77c8348a8), UINT64_C(0xe8396a503c4bdc68),
	UINT64_C(0xeac0c6e7dd24392f), UINT64_C(0xed4f301ed9942b84), UINT64_C(0xefe4b99bdcdaf5cb), UINT64_C(0xf281773c59ffb13a),
	UINT64_C(0xf5257d152486cc2c), UINT64_C(0xf7d0df730ad13bb9), UINT64_C(0xfa83b2db722a033a), UINT64_C(0xfd3e0c0cf486c175),
};
static const uint64_t fine[32] = {
	UINT64_C(0x8000000000000000), UINT64_C(0x800b179c82028fd1), UINT64_C(0x8016302f17467628), UINT64_C(0x802149b7d51ebefb),
	UINT64_C(0x802c6436d0e04f51), UINT64_C(0x80377fac1fe1e56a), UINT64_C(0x80429c17d77c18ed), UINT64_C(0x804db97a0d095b0c),
	UINT64_C(0x8058d7d2d5e5f6b1), UINT64_C(0x8063f722477010a2), UINT64_C(0x806f17687707a7b0), UINT64_C(0x807a38a57a0e94dd),
	UINT64_C(0x80855ad965e88b84), UINT64_C(0x80907e044ffb1984), UINT64_C(0x809ba2264dada76a), UINT64_C(0x80a6c73f74697897),
	UINT64_C(0x80b1ed4fd999ab6c), UINT64_C(0x80bd145792ab3971), UINT64_C(0x80c83c56b50cf780), UINT64_C(0x80d3654d562f95ed),
	UINT64_C(0x80de8f3b8b85a0af), UINT64_C(0x80e9ba216a837f8c), UINT64_C(0x80f4e5ff089f763f), UINT64_C(0x810012d47b51a4a1),
	UINT64_C(0x810b40a1d81406d4), UINT64_C(0x81166f673462756e), UINT64_C(0x81219f24a5baa59d), UINT64_C(0x812ccfda419c2957),
	UINT64_C(0x813801881d886f7c), UINT64_C(0x8143342e4f02c405), UINT64_C(0x814e67cceb90502d), UINT64_C(0x81599c6408b81a95),
};

/* x from LOWEST to HIGHEST. */
static double in_range(double x)
{
	const double shift = 6755399441055744.0; /* 3 * 2^51: to the nearest whole number */
	double k = (x * 2954.639443740597 + shift) - shift;
	double t = k * 0.0003384507717577858 - x;
	double y = (3.0000000027955394 - t) * (t * t) * 0.16666666685227835 - t + 1.0;
	uint32_t biased = (uint32_t)((int32_t)k + 1023 * (int32_t)STEPS), i = biased % STEPS;
	uint64_t low, fraction = (sl_mul_wide(coarse[i / FINE], fine[i % FINE], &low) + (1u << 9)) >> 10;
	/* 2^1024 is infinity, which is what CatBoost's becomes. */
	return y * sl_f64_from_bits(((uint64_t)(biased / STEPS) << 52) + (fraction - (UINT64_C(1) << 52)));
}

double engine_exp_catboost(double x)
{
	if (!(x > LOWEST && x < HIGHEST))
		return x <= LOWEST ? 0.0 : x >= HIGHEST ? (double)INFINITY : x;
	return in_range(x);
}

double engine_exp_catboost_bounded(double x)
{
	return in_range(x < LOWEST ? LOWEST : x < HIGHEST ? x : HIGHEST);
}
