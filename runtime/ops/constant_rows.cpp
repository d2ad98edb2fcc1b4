#include "runtime/ops/constant_rows.h"

#include "kernels/elementwise.h"
#include "kernels/fill_labels.h"
#include "runtime/op.h"

namespace gradflip::ops {
namespace {

void fill_rows(const Launch& launch, std::int64_t count, std::int32_t number, float* out) {
  dispatch(launch, [&](auto ctx) { fill(ctx, count, static_cast<float>(number), out); });
}

void fill_rows(const Launch& launch, std::int64_t count, std::int32_t number, std::int32_t* out) {
  dispatch(launch, [&](auto ctx) { fill_labels(ctx, count, number, out); });
}

ConstantRowsAttributes attributes_for(std::span<const SegmentNumber> numbers) {
  return {{numbers.begin(), numbers.end()}};
}

template <typename T>
class ConstantRows final : public OpWith<ConstantRowsAttributes> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override {
    return kDtype == Dtype::kF32 ? "constant_rows" : "constant_labels";
  }
  Gradient gradient_kind() const override { return Gradient::kConstant; }

  std::vector<ValueType> infer(std::span<const ValueType> /*inputs*/) const override {
    Rows rows;
    for (const SegmentNumber& entry : attributes().numbers) {
      GRADFLIP_REQUIRE(entry.segment >= 0 && entry.segment < kMaxSegments &&
                           segment_rows(entry.segment).mask > rows.mask,
                       "constant_rows: the segments must ascend");
      rows = rows | segment_rows(entry.segment);
    }
    return {{kDtype, {}, rows}};
  }

  void run(const Launch& launch) const override {
    T* out = launch.out<T>(0);
    for (const SegmentNumber& entry : attributes().numbers) {
      const std::int64_t count = launch.segments[static_cast<std::size_t>(entry.segment)].count;
      fill_rows(launch, count, entry.number, out);
      out += count;
    }
  }

 private:
  static constexpr Dtype kDtype = std::is_same_v<T, float> ? Dtype::kF32 : Dtype::kI32;
};

}  // namespace

Value constant_rows(Graph& graph, std::span<const SegmentNumber> numbers) {
  return graph.append_one(std::make_shared<const ConstantRows<float>>(attributes_for(numbers)), {});
}

Value constant_labels(Graph& graph, std::span<const SegmentNumber> numbers) {
  return graph.append_one(
      std::make_shared<const ConstantRows<std::int32_t>>(attributes_for(numbers)), {});
}

}  // namespace gradflip::ops
