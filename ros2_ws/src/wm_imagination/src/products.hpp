// Matrix products with float32 and with eight-bit weights. Matrices are (inputs, outputs), given row by row.
//
// Eight-bit products are summed exactly in 32 bits, on every processor to the same integers. Activations get a scale for
// each row, so that no row influences another.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

#include "vectors.hpp"

constexpr int PANEL = 2 * LANES, TILE = 6;  // a tile of the result: 6 rows and 16 columns fill 12 registers

// Numbers are multiplied in groups of four bytes: one float32, or as many eight-bit numbers as fit.
struct Float32
{
  using Cell = float;
  using Weight = float;
  using Sum = Floats;
  static Sum added(Sum sum, Sum a, Sum b) {return sum + a * b;}
};

struct EightBit
{
  using Sum = Numbers;
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
  using Cell = uint8_t;
  using Weight = int8_t;
  static Sum added(Sum sum, Sum a, Sum b) {return Sum(_mm256_dpbusd_epi32(__m256i(sum), __m256i(a), __m256i(b)));}
#elif defined(__AVXVNNI__)
  using Cell = uint8_t;
  using Weight = int8_t;
  static Sum added(Sum sum, Sum a, Sum b) {return Sum(_mm256_dpbusd_avx_epi32(__m256i(sum), __m256i(a), __m256i(b)));}
#else  // in sixteen bits each: the sum of two products of eight bits would saturate there
  using Cell = int16_t;
  using Weight = int16_t;
  static Sum added(Sum sum, Sum a, Sum b) {return sum + Sum(_mm256_madd_epi16(__m256i(a), __m256i(b)));}
#endif
};

template<class Kind>
constexpr int GROUP = 4 / sizeof(typename Kind::Cell);

template<class Vector>
Vector read(const void * at) {Vector x; std::memcpy(&x, at, sizeof(x)); return x;}

template<class Vector>
Vector repeated(const void * at) {return Vector(_mm256_set1_epi32(read<int32_t>(at)));}  // a group, in every lane

// ROWS rows times one panel of weights.
template<class Kind, int ROWS>
inline void tile(
  const typename Kind::Cell * rows, int stride, const char * panel, int groups, typename Kind::Sum (&sums)[TILE][2])
{
  using Sum = typename Kind::Sum;
  Sum left[ROWS]{}, right[ROWS]{};
  for (int group = 0; group < groups; group++, panel += 64, rows += GROUP<Kind>) {
    const Sum first = read<Sum>(panel), second = read<Sum>(panel + 32);
#pragma GCC unroll 6
    for (int row = 0; row < ROWS; row++) {
      const Sum cells = repeated<Sum>(rows + row * stride);
      left[row] = Kind::added(left[row], cells, first);
      right[row] = Kind::added(right[row], cells, second);
    }
  }
#pragma GCC unroll 6
  for (int row = 0; row < ROWS; row++) {sums[row][0] = left[row]; sums[row][1] = right[row];}
}

template<class Kind, int ROWS = TILE>
void tile_of(
  int count, const typename Kind::Cell * rows, int stride, const char * panel, int groups,
  typename Kind::Sum (&sums)[TILE][2])
{
  if constexpr (ROWS > 1) {
    if (count < ROWS) {return tile_of<Kind, ROWS - 1>(count, rows, stride, panel, groups, sums);}
  }
  tile<Kind, ROWS>(rows, stride, panel, groups, sums);
}

inline int padded(int outputs) {return (outputs + PANEL - 1) / PANEL * PANEL;}

// A vector of a layer, up to the end of its last panel.
inline std::vector<float> padded(const float * values, int count, float rest = 0.0f)
{
  std::vector<float> all(padded(count), rest);
  if (values) {std::copy(values, values + count, all.begin());}
  return all;
}

// A weight in the order in which ``tile`` reads it: panel, group of inputs, column, input within the group.
template<class Kind>
class Weights
{
  using Weight = typename Kind::Weight;

public:
  template<class Given>
  Weights(const Given * given, int inputs, int outputs)
  : inputs(inputs), outputs(padded(outputs)), bytes_(new char[size_t(inputs) * padded(outputs) * sizeof(Weight) + 64])
  {
    begin_ = bytes_.get() + (-reinterpret_cast<uintptr_t>(bytes_.get()) & 63);  // at a cache line
    auto to = reinterpret_cast<Weight *>(begin_);
    for (int panel = 0; panel < outputs; panel += PANEL) {
      for (int input = 0; input < inputs; input += GROUP<Kind>) {
        for (int column = panel; column < panel + PANEL; column++) {
          for (int k = input; k < input + GROUP<Kind>; k++) {
            *to++ = column < outputs ? Weight(given[size_t(k) * outputs + column]) : Weight(0);
          }
        }
      }
    }
  }

  // Calls ``finish(row, column, sums)`` with eight columns of the product of ``count`` rows at a time.
  template<class Finish>
  void multiply(const typename Kind::Cell * rows, int stride, int count, Finish finish) const
  {
    typename Kind::Sum sums[TILE][2];
    const char * panel = begin_;
    for (int column = 0; column < outputs; column += PANEL, panel += size_t(inputs) * PANEL * sizeof(Weight)) {
      for (int row = 0; row < count; row += TILE) {
        const int here = std::min(TILE, count - row);
        tile_of<Kind>(here, rows + size_t(row) * stride, stride, panel, inputs / GROUP<Kind>, sums);
        for (int r = 0; r < here; r++) {
          finish(row + r, column, sums[r][0]);
          finish(row + r, column + LANES, sums[r][1]);
        }
      }
    }
  }

  int inputs, outputs;

private:
  std::unique_ptr<char[]> bytes_;
  char * begin_;
};

struct Narrow  // a layer in float32
{
  Narrow(const float * given, const float * bias, int inputs, int outputs, float rest = 0.0f)
  : weights(given, inputs, outputs), bias(padded(bias, outputs, rest)) {}

  void operator()(const float * rows, int stride_in, int count, float * result, int stride) const
  {
    weights.multiply(
      rows, stride_in, count, [=, this](int row, int column, Floats sum) {
        store(result + size_t(row) * stride + column, sum + load(bias.data() + column));
      });
  }

  Weights<Float32> weights;
  std::vector<float> bias;
};

struct Scale {float size; int32_t zero;};  // value = size * (cell - zero)

struct Wide  // a layer with eight-bit weights
{
  Wide(const int8_t * given, const float * scale, const float * bias, int inputs, int outputs)
  : weights(given, inputs, outputs), scale(padded(scale, outputs)), bias(padded(bias, outputs)),
    sums(padded(outputs))
  {
    for (int k = 0; k < inputs; k++) {
      for (int column = 0; column < outputs; column++) {sums[column] += given[size_t(k) * outputs + column];}
    }
  }

  void operator()(const EightBit::Cell * cells, const Scale * scales, int count, float * result, int stride) const
  {
    weights.multiply(
      cells, weights.inputs, count, [=, this](int row, int column, Numbers sum) {
        const Numbers shift = read<Numbers>(sums.data() + column) * scales[row].zero;
        const Floats size = load(scale.data() + column) * scales[row].size;
        const Floats found = __builtin_convertvector(sum - shift, Floats);
        store(result + size_t(row) * stride + column, found * size + load(bias.data() + column));
      });
  }

  Weights<EightBit> weights;
  std::vector<float> scale, bias;
  std::vector<int32_t> sums;  // of each column
};

// A row in two parts, ``first`` and ``second`` numbers, multiples of 16, in eight bits; zero is kept exactly.
inline Scale quantise(const float * one, int first, const float * two, int second, EightBit::Cell * cells)
{
  const auto part = [=](int i) {return load(i < first ? one + i : two + (i - first));};
  Floats low{}, high{}, faults{};
  for (int i = 0; i < first + second; i += LANES) {
    const Floats x = part(i);
    low = smaller(x, low);
    high = larger(x, high);
    faults += x * 0.0f;  // NaN where x is not finite, which comparisons overlook
  }
  float least = 0.0f, most = 0.0f;
  for (int lane = 0; lane < LANES; lane++) {least = std::min(least, low[lane]); most = std::max(most, high[lane]);}
  const float size = most > least ? (most - least) / 255.0f : 1.0f, inverse = 1.0f / size;
  const float zero = rounded(all(-least * inverse))[0];
  const auto whole = [=](int i) {return __m256i(_mm256_cvtps_epi32(__m256(rounded(part(i) * inverse) + zero)));};
  for (int i = 0; i < first + second; i += 2 * LANES) {
    const __m256i both = _mm256_packus_epi32(whole(i), whole(i + LANES));  // interleaves the halves of its operands
    const __m256i words = _mm256_min_epi16(_mm256_permute4x64_epi64(both, 0xD8), _mm256_set1_epi16(255));
    if constexpr (sizeof(*cells) == 2) {
      std::memcpy(cells + i, &words, 32);
    } else {
      const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
      std::memcpy(cells + i, &bytes, 16);
    }
  }
  return {size + total(faults), int32_t(zero)};
}
