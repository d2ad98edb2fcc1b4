// exp, log and what is made of them, a vector at a time, per SIMD target (see simd.h): for the
// kernels of elementwise.h, which states how exact they are, and softmax.h. The polynomials are
// Moshier's (Cephes, expf.c, logf.c, tanhf.c).

#include "kernels/cpu/simd.h"  // before the guard: it switches targets

#if defined(GRADFLIP_KERNELS_CPU_EXP_LOG_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADFLIP_KERNELS_CPU_EXP_LOG_H
#undef GRADFLIP_KERNELS_CPU_EXP_LOG_H
#else
#define GRADFLIP_KERNELS_CPU_EXP_LOG_H
#endif

#include <limits>

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

// ln 2 in two parts, the first one short, so that its products with exponents are exact.
constexpr float kLog2High = 0.693359375F, kLog2Low = -2.12194440e-4F;

// Horner's rule; the coefficient of the highest power first.
template <std::size_t kSize>
HWY_INLINE Floats polynomial(const float (&coefficients)[kSize], Floats x) {
  Floats sum = broadcast(coefficients[0]);
  GRADFLIP_UNROLL
  for (std::size_t i = 1; i < kSize; ++i) sum = hn::MulAdd(sum, x, broadcast(coefficients[i]));
  return sum;
}

// 2^n for whole numbers in [-126, 127].
HWY_INLINE Floats power_of_two(Ints n) {
  const IntTag tag;
  return hn::BitCast(FloatTag(), hn::ShiftLeft<23>(hn::Add(n, hn::Set(tag, 127))));
}

// exp(x) = 2^n exp(r), |r| <= ln(2) / 2. 2^n in two factors, as n reaches -150 and 128.
HWY_INLINE Floats exp_of(Floats x) {
  constexpr float kPolynomial[] = {1.9875691500e-4F, 1.3981999507e-3F, 8.3334519073e-3F,
                                   4.1665795894e-2F, 1.6666665459e-1F, 5.0000001201e-1F};
  // What is beyond them is 0 and infinite all the same. A NaN stays.
  const Floats highest = broadcast(89.0F), lowest = broadcast(-104.0F);
  x = hn::IfThenElse(hn::Gt(x, highest), highest, x);
  x = hn::IfThenElse(hn::Lt(x, lowest), lowest, x);
  const Ints n = hn::NearestInt(hn::Mul(x, broadcast(1.44269504F)));
  const Floats whole = hn::ConvertTo(FloatTag(), n);
  Floats r = hn::NegMulAdd(whole, broadcast(kLog2High), x);
  r = hn::NegMulAdd(whole, broadcast(kLog2Low), r);
  const Floats rest = hn::MulAdd(polynomial(kPolynomial, r), hn::Mul(r, r), r);
  const Ints half = hn::ShiftRight<1>(n);
  return hn::Mul(hn::Mul(hn::Add(broadcast(1.0F), rest), power_of_two(half)),
                 power_of_two(hn::Sub(n, half)));
}

// log(x) = n ln(2) + log(1 + f), 1 + f in [sqrt(0.5), sqrt(2)).
HWY_INLINE Floats log_of(Floats x) {
  constexpr float kPolynomial[] = {7.0376836292e-2F,  -1.1514610310e-1F, 1.1676998740e-1F,
                                   -1.2420140846e-1F, 1.4249322787e-1F,  -1.6668057665e-1F,
                                   2.0000714765e-1F,  -2.4999993993e-1F, 3.3333331174e-1F};
  constexpr std::int32_t kSqrtHalf = 0x3F3504F3;  // the bits of sqrt(0.5), rounded down
  const IntTag tag;
  const Floats infinity = broadcast(std::numeric_limits<float>::infinity());
  const auto is_subnormal = hn::Lt(x, broadcast(std::numeric_limits<float>::min()));
  const Floats normal = hn::IfThenElse(is_subnormal, hn::Mul(x, broadcast(8388608.0F)), x);
  const Ints above = hn::Sub(hn::BitCast(tag, normal), hn::Set(tag, kSqrtHalf));
  const Ints n = hn::ShiftRight<23>(above);
  const Ints mantissa = hn::Add(hn::And(above, hn::Set(tag, 0x007FFFFF)), hn::Set(tag, kSqrtHalf));
  const Floats f = hn::Sub(hn::BitCast(FloatTag(), mantissa), broadcast(1.0F));
  const Floats whole =
      hn::Sub(hn::ConvertTo(FloatTag(), n), hn::IfThenElseZero(is_subnormal, broadcast(23.0F)));
  const Floats square = hn::Mul(f, f);
  Floats rest = hn::Mul(hn::Mul(f, square), polynomial(kPolynomial, f));
  rest = hn::MulAdd(whole, broadcast(kLog2Low), rest);
  rest = hn::NegMulAdd(broadcast(0.5F), square, rest);
  const Floats sum = hn::MulAdd(whole, broadcast(kLog2High), hn::Add(f, rest));
  // An infinity and a NaN stay; the logarithm of 0 is -inf, that of less a NaN.
  const Floats of_no_number = hn::Add(x, x);
  const Floats of_nothing =
      hn::IfThenElse(hn::Eq(x, zeros()), hn::Neg(infinity), hn::Sub(infinity, infinity));
  const Floats positive = hn::IfThenElse(hn::Lt(x, infinity), sum, of_no_number);
  return hn::IfThenElse(hn::Le(x, zeros()), of_nothing, positive);
}

// 1 / (1 + exp(-x)), by exponentials of negative numbers, which do not overflow.
HWY_INLINE Floats sigmoid_of(Floats x) {
  const Floats e = exp_of(hn::Neg(hn::Abs(x)));
  const Floats above = hn::IfThenElse(hn::Ge(x, zeros()), broadcast(1.0F), e);
  return hn::Div(above, hn::Add(broadcast(1.0F), e));
}

HWY_INLINE Floats tanh_of(Floats x) {
  constexpr float kPolynomial[] = {-5.70498872745e-3F, 2.06390887954e-2F, -5.37397155531e-2F,
                                   1.33314422036e-1F, -3.33332819422e-1F};
  const Floats magnitude = hn::Abs(x);
  const Floats square = hn::Mul(x, x);
  const Floats near_zero = hn::MulAdd(hn::Mul(polynomial(kPolynomial, square), square), x, x);
  const Floats e = exp_of(hn::Add(magnitude, magnitude));
  const Floats far =
      hn::Sub(broadcast(1.0F), hn::Div(broadcast(2.0F), hn::Add(e, broadcast(1.0F))));
  return hn::CopySign(hn::IfThenElse(hn::Lt(magnitude, broadcast(0.625F)), near_zero, far), x);
}

// log(1 + e), 0 <= e <= 1: what rounding 1 + e leaves out comes back as its derivative's share.
HWY_INLINE Floats log1p_of(Floats e) {
  const Floats one = broadcast(1.0F);
  const Floats sum = hn::Add(one, e);
  return hn::Add(log_of(sum), hn::Div(hn::Sub(e, hn::Sub(sum, one)), sum));
}

// log(1 + exp(x))
HWY_INLINE Floats softplus_of(Floats x) {
  const Floats above = hn::IfThenElse(hn::Lt(x, zeros()), zeros(), x);
  return hn::Add(above, log1p_of(exp_of(hn::Neg(hn::Abs(x)))));
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target
