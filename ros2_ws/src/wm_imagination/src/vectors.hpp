// Eight numbers at once, and the functions of a network on them.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>

typedef float Floats __attribute__((vector_size(32)));
typedef int32_t Numbers __attribute__((vector_size(32)));

constexpr int LANES = 8;

inline Floats load(const float * at) {Floats x; std::memcpy(&x, at, sizeof(x)); return x;}
inline void store(float * at, Floats x) {std::memcpy(at, &x, sizeof(x));}
inline Floats all(float x) {return Floats(_mm256_set1_ps(x));}
inline Floats smaller(Floats x, Floats y) {return Floats(_mm256_min_ps(x, y));}  // y where one is not a number
inline Floats larger(Floats x, Floats y) {return Floats(_mm256_max_ps(x, y));}
inline Numbers whole_of(Floats rounded) {return __builtin_convertvector(rounded, Numbers);}

// To the nearest whole number, for less than 2^22: beyond 2^23 a float has no digits after the point.
constexpr float NO_DIGITS = 12582912.0f;
inline Floats rounded(Floats x) {return (x + NO_DIGITS) - NO_DIGITS;}

inline float total(Floats x)
{
  return ((x[0] + x[4]) + (x[1] + x[5])) + ((x[2] + x[6]) + (x[3] + x[7]));
}

// Functions of several vectors go through each of their steps for all of them: a step of one waits for the one before, and
// the processor looks ahead too little to fill that time by itself.
constexpr int TOGETHER = 4, BLOCK = TOGETHER * LANES;

template<int COUNT>
inline void exponential(Floats (&x)[COUNT])  // e^x = 2^whole * e^r; a NaN remains one
{
  Floats whole[COUNT], sum[COUNT];
  for (int i = 0; i < COUNT; i++) {
    x[i] = smaller(all(88.0f), larger(all(-87.0f), x[i]));
    sum[i] = all(1.0f / 720.0f);
  }
  for (int i = 0; i < COUNT; i++) {whole[i] = rounded(x[i] * 1.44269504f);}
  for (int i = 0; i < COUNT; i++) {
    x[i] = (x[i] - whole[i] * 0.693359375f) + whole[i] * 2.12194440e-4f;  // log(2) in two parts
  }
  for (float factorial : {120.0f, 24.0f, 6.0f, 2.0f, 1.0f, 1.0f}) {
    for (int i = 0; i < COUNT; i++) {sum[i] = sum[i] * x[i] + 1.0f / factorial;}
  }
  for (int i = 0; i < COUNT; i++) {x[i] = Floats(Numbers(sum[i]) + (whole_of(whole[i]) << 23));}
}

template<int COUNT>
inline void sigmoid(Floats (&x)[COUNT])
{
  for (Floats & one : x) {one = -one;}
  exponential(x);
  for (Floats & one : x) {one = 1.0f / (1.0f + one);}
}

template<int COUNT>
inline void silu(Floats (&x)[COUNT])
{
  Floats factor[COUNT];
  std::memcpy(factor, x, sizeof(x));
  sigmoid(factor);
  for (int i = 0; i < COUNT; i++) {x[i] *= factor[i];}
}

template<int COUNT>
inline void same(Floats (&)[COUNT]) {}

inline Floats softplus(Floats x)  // max(x, 0) + log(1 + e^-|x|), the logarithm as an inverse hyperbolic tangent
{
  Floats t[1] = {smaller(-x, x)};
  exponential(t);
  const Floats s = t[0] / (2.0f + t[0]), square = s * s;
  Floats sum = all(1.0f / 15.0f);
  for (float odd : {13.0f, 11.0f, 9.0f, 7.0f, 5.0f, 3.0f, 1.0f}) {sum = sum * square + 1.0f / odd;}
  return larger(all(0.0f), x) + 2.0f * s * sum;
}

// The mean of a row, and one over its deviation; ``count`` is a multiple of a block, as in the next one.
inline void measure(const float * row, int count, float epsilon, float & mean, float & scale)
{
  Floats left{}, right{};  // two sums, so that an addition does not wait for the one before
  for (int i = 0; i < count; i += 2 * LANES) {left += load(row + i); right += load(row + i + LANES);}
  mean = total(left + right) / count;
  left = right = Floats{};
  for (int i = 0; i < count; i += 2 * LANES) {
    const Floats one = load(row + i) - mean, other = load(row + i + LANES) - mean;
    left += one * one;
    right += other * other;
  }
  scale = 1.0f / _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(total(left + right) / count + epsilon)));
}

// Layer normalisation with ``after``, in place.
template<class Function>
inline void normalise(
  float * row, int count, const float * weight, const float * bias, float epsilon, Function after)
{
  float mean, scale;
  measure(row, count, epsilon, mean, scale);
  for (int i = 0; i < count; i += BLOCK) {
    Floats x[TOGETHER];
    for (int k = 0; k < TOGETHER; k++) {
      const int at = i + k * LANES;
      x[k] = (load(row + at) - mean) * scale * load(weight + at) + load(bias + at);
    }
    after(x);
    for (int k = 0; k < TOGETHER; k++) {store(row + i + k * LANES, x[k]);}
  }
}
