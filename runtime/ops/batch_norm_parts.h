// What batch_norm and batch_norm_pool have in common: nodes whose inputs are x, the moments, then a
// scale and a shift for all groups or for each.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/batch_norm.h"
#include "runtime/op.h"
#include "runtime/ops/batch_norm.h"

namespace gradflip::ops {

std::vector<Value> norm_inputs(Value x, Value moments, std::span<const ChannelAffine> affine);
// The last argument, from what norm_inputs gives.
std::vector<ChannelAffine> affine_of(std::span<const Value> norm_inputs);

// Throws std::invalid_argument, beginning with `name`, unless they fit each other.
void require_norm_operands(std::string_view name, std::span<const ValueType> inputs,
                           const BatchNormAttributes& attributes);

// The kernel's view of them, where `others` inputs stand behind them.
BatchNorm norm_operands(const Launch& launch, const BatchNormAttributes& attributes,
                        std::size_t others);

// Of the whole batch, of which the launch may cover a part.
BatchNormCounts norm_counts(const Launch& launch, const SegmentGroups& groups, std::int64_t pixels);

// The gradients of such a node's inputs. summed: what takes the place of x in the sums; the
// gradient of the node's first output is of its rows. make_dx(sums) appends what makes dx, of none()
// where the moments are constants.
using MakeInputGradient = std::function<Value(Value sums)>;
std::vector<Value> norm_gradients(const GradientRequest& request,
                                  const BatchNormAttributes& attributes, Value summed,
                                  const MakeInputGradient& make_dx);

}  // namespace gradflip::ops
