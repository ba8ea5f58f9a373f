// All steps and heads of N futures of a model with Gaussian latents, in one call. Built once for each kind of processor.
//
// Shapes: N candidates, H horizon, D units, S stochastic size, F = D + S, A action, U hidden units.

#include <list>

#include "products.hpp"

namespace
{
constexpr int MOST_ROWS = 96;  // go through the steps together: their activations stay in the second cache

struct Sizes {int32_t action, stochastic, units, hidden, heads;};
struct Constants {float epsilon, least_std, update;};  // ``update`` is added to the update gate
enum HeadKind : int32_t {LINEAR, SIGMOID, BINS};
struct HeadSizes {int32_t kind, outputs;};

struct Norm {const float * weight, * bias;};

struct Head
{
  HeadKind kind;
  int outputs;  // as given, before padding
  Wide first;
  Norm norm;
  Narrow last;
  std::vector<float> bins;
};

struct Scratch  // of one thread
{
  std::vector<float> input, hidden, gates, parameters, belief;
  std::vector<EightBit::Cell> cells;
  std::vector<Scale> scales;

  void fit(const Sizes & sizes, int rows)
  {
    const size_t belief_size = sizes.units + sizes.stochastic;
    input.resize(size_t(rows) * (sizes.stochastic + sizes.action));
    hidden.resize(size_t(rows) * sizes.hidden);
    gates.resize(size_t(rows) * 3 * sizes.units);
    belief.resize(rows * belief_size);
    cells.resize(rows * std::max<size_t>(sizes.hidden + sizes.units, belief_size));
    scales.resize(rows);
  }
};

class Rollout
{
public:
  Rollout(const Sizes & sizes, const Constants & constants, const HeadSizes * heads, const void * const * tensors)
  : sizes_(sizes), constants_(constants), belief_size_(sizes.units + sizes.stochastic), next_(tensors),
    input_(narrow(sizes.stochastic + sizes.action, sizes.hidden)), input_norm_(norm()),
    gru_(wide(sizes.hidden + sizes.units, 3 * sizes.units)), gru_norm_(norm()),
    prior_(wide(sizes.units, sizes.hidden)), prior_norm_(norm()), last_(narrow(sizes.hidden, 2 * sizes.stochastic))
  {
    for (int i = 0; i < sizes.heads; i++) {
      const auto [kind, outputs] = heads[i];
      const float rest = kind == BINS ? -1e30f : 0.0f;  // bins that are not there have no probability
      Wide first = wide(belief_size_, sizes.hidden);
      const Norm its_norm = norm();
      Narrow last = narrow(sizes.hidden, outputs, rest);
      widest_ = std::max(widest_, padded(outputs));
      heads_.push_back({HeadKind(kind), outputs, std::move(first), its_norm, std::move(last),
          kind == BINS ? padded(floats(), outputs) : std::vector<float>()});
    }
  }

  void operator()(
    int candidates, int horizon, const float * belief, const float * actions, const float * noise, float * beliefs,
    float * const * said) const
  {
    static thread_local Scratch scratch;
    const int blocks = (candidates + MOST_ROWS - 1) / MOST_ROWS, most = (candidates + blocks - 1) / blocks;
    scratch.fit(sizes_, most);
    scratch.parameters.resize(size_t(most) * std::max(padded(2 * sizes_.stochastic), widest_));
    for (int begin = 0; begin < candidates; begin += most) {
      const int rows = std::min(most, candidates - begin);
      for (int row = 0; row < rows; row++) {
        std::copy(belief, belief + belief_size_, scratch.belief.data() + size_t(row) * belief_size_);
      }
      for (int step = 0; step < horizon; step++) {
        const size_t at = size_t(begin) * horizon + step;
        advance(rows, horizon, actions + at * sizes_.action, noise + at * sizes_.stochastic, scratch);
        for (int row = 0; beliefs && row < rows; row++) {
          const float * reached = scratch.belief.data() + size_t(row) * belief_size_;
          std::copy(reached, reached + belief_size_, beliefs + (at + size_t(row) * horizon) * belief_size_);
        }
        if (said) {say(rows, horizon, at, said, scratch);}
      }
    }
  }

private:
  // One step of ``rows`` rows, whose actions and noise are ``horizon`` apart.
  void advance(int rows, int horizon, const float * actions, const float * noise, Scratch & s) const
  {
    const int S = sizes_.stochastic, A = sizes_.action, D = sizes_.units, U = sizes_.hidden, F = belief_size_;
    for (int row = 0; row < rows; row++) {
      const float * action = actions + size_t(row) * horizon * A, * state = &s.belief[size_t(row) * F + D];
      std::copy(action, action + A, std::copy(state, state + S, &s.input[size_t(row) * (S + A)]));
    }
    input_(s.input.data(), S + A, rows, s.hidden.data(), U);
    for (int row = 0; row < rows; row++) {
      float * x = &s.hidden[size_t(row) * U];
      normalise(x, U, input_norm_.weight, input_norm_.bias, constants_.epsilon, silu<TOGETHER>);
      s.scales[row] = quantise(x, U, &s.belief[size_t(row) * F], D, &s.cells[size_t(row) * (U + D)]);
    }
    gru_(s.cells.data(), s.scales.data(), rows, s.gates.data(), 3 * D);
    for (int row = 0; row < rows; row++) {
      gate(&s.gates[size_t(row) * 3 * D], &s.belief[size_t(row) * F]);
      s.scales[row] = quantise(&s.belief[size_t(row) * F], D, nullptr, 0, &s.cells[size_t(row) * D]);
    }
    prior_(s.cells.data(), s.scales.data(), rows, s.hidden.data(), U);
    for (int row = 0; row < rows; row++) {
      normalise(&s.hidden[size_t(row) * U], U, prior_norm_.weight, prior_norm_.bias, constants_.epsilon, silu<TOGETHER>);
    }
    const int stride = last_.weights.outputs;
    last_(s.hidden.data(), U, rows, s.parameters.data(), stride);
    for (int row = 0; row < rows; row++) {
      const float * mean = &s.parameters[size_t(row) * stride], * drawn = noise + size_t(row) * horizon * S;
      float * state = &s.belief[size_t(row) * F + D];
      for (int i = 0; i < S; i += LANES) {
        const Floats deviation = softplus(load(mean + S + i)) + constants_.least_std;
        store(state + i, load(mean + i) + deviation * load(drawn + i));
      }
    }
  }

  void gate(float * gates, float * state) const
  {
    const int D = sizes_.units;
    normalise(gates, 3 * D, gru_norm_.weight, gru_norm_.bias, constants_.epsilon, same<TOGETHER>);
    for (int i = 0; i < D; i += BLOCK) {
      Floats candidate[TOGETHER], update[TOGETHER];
      for (int k = 0; k < TOGETHER; k++) {candidate[k] = load(gates + i + k * LANES);}
      sigmoid(candidate);
      for (int k = 0; k < TOGETHER; k++) {
        candidate[k] *= 2.0f * load(gates + D + i + k * LANES);  // tanh(x) = 2 sigmoid(2 x) - 1
        update[k] = load(gates + 2 * D + i + k * LANES) + constants_.update;
      }
      sigmoid(candidate);
      sigmoid(update);
      for (int k = 0; k < TOGETHER; k++) {
        float * at = state + i + k * LANES;
        const Floats before = load(at);
        store(at, before + update[k] * (2.0f * candidate[k] - 1.0f - before));
      }
    }
  }

  // What the heads say of the beliefs: entry ``at`` of their outputs for the first row, the others ``horizon`` apart.
  void say(int rows, int horizon, size_t at, float * const * said, Scratch & s) const
  {
    const int U = sizes_.hidden, F = belief_size_;
    for (int row = 0; row < rows; row++) {
      s.scales[row] = quantise(&s.belief[size_t(row) * F], F, nullptr, 0, &s.cells[size_t(row) * F]);
    }
    for (const Head & head : heads_) {
      head.first(s.cells.data(), s.scales.data(), rows, s.hidden.data(), U);
      for (int row = 0; row < rows; row++) {
        normalise(&s.hidden[size_t(row) * U], U, head.norm.weight, head.norm.bias, constants_.epsilon, silu<TOGETHER>);
      }
      const int stride = head.last.weights.outputs, width = head.kind == BINS ? 1 : head.outputs;
      head.last(s.hidden.data(), U, rows, s.parameters.data(), stride);
      for (int row = 0; row < rows; row++) {
        finish(head, &s.parameters[size_t(row) * stride], *said + (at + size_t(row) * horizon) * width);
      }
      said++;
    }
  }

  void finish(const Head & head, float * given, float * result) const
  {
    if (head.kind == BINS) {
      *result = expected(given, head.bins);
      return;
    }
    for (int i = 0; head.kind == SIGMOID && i < padded(head.outputs); i += LANES) {
      Floats chance[1] = {load(given + i)};
      sigmoid(chance);
      store(given + i, chance[0]);
    }
    std::copy(given, given + head.outputs, result);
  }

  // The mean of ``bins`` with the probabilities of these logits.
  static float expected(const float * logits, const std::vector<float> & bins)
  {
    Floats most = load(logits), sum{}, weighted{};
    for (size_t i = LANES; i < bins.size(); i += LANES) {most = larger(load(logits + i), most);}
    const float largest = std::max({most[0], most[1], most[2], most[3], most[4], most[5], most[6], most[7]});
    for (size_t i = 0; i < bins.size(); i += LANES) {
      Floats share[1] = {load(logits + i) - largest};
      exponential(share);
      sum += share[0];
      weighted += share[0] * load(bins.data() + i);
    }
    return total(weighted) / total(sum);
  }

  const float * floats() {return static_cast<const float *>(*next_++);}
  Norm norm()
  {
    const float * weight = floats();
    return {weight, floats()};
  }
  Narrow narrow(int inputs, int outputs, float rest = 0.0f)
  {
    const float * weight = floats();
    return Narrow(weight, floats(), inputs, outputs, rest);
  }
  Wide wide(int inputs, int outputs)
  {
    const auto weight = static_cast<const int8_t *>(*next_++);
    const float * scale = floats();
    return Wide(weight, scale, floats(), inputs, outputs);
  }

  Sizes sizes_;
  Constants constants_;
  int belief_size_, widest_ = 0;
  const void * const * next_;  // tensor of those given
  Narrow input_;
  Norm input_norm_;
  Wide gru_;
  Norm gru_norm_;
  Wide prior_;
  Norm prior_norm_;
  Narrow last_;
  std::list<Head> heads_;
};
}  // namespace

extern "C" {
// ``tensors`` in the order of the constructor; those of the normalisations must outlive the roll-out.
void * wm_open(
  const Sizes * sizes, const Constants * constants, const HeadSizes * heads, const void * const * tensors)
{
  return new Rollout(*sizes, *constants, heads, tensors);
}

void wm_close(void * rollout) {delete static_cast<Rollout *>(rollout);}

// From ``belief`` (F), ``actions`` (N, H, A) and ``noise`` (N, H, S) to ``beliefs`` (N, H, F) and an output (N, H, ·) for
// each head. Either may be null.
void wm_run(
  const void * rollout, int32_t candidates, int32_t horizon, const float * belief, const float * actions,
  const float * noise, float * beliefs, float * const * said)
{
  (*static_cast<const Rollout *>(rollout))(candidates, horizon, belief, actions, noise, beliefs, said);
}
}
