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

template <typename T>
class ConstantRows final : public Op {
 public:
  explicit ConstantRows(std::span<const SegmentNumber> numbers)
      : numbers_(numbers.begin(), numbers.end()) {}

  std::string_view name() const override {
    return kDtype == Dtype::kF32 ? "constant_rows" : "constant_labels";
  }
  Gradient gradient_kind() const override { return Gradient::kConstant; }

  const std::vector<SegmentNumber>& numbers() const { return numbers_; }

  std::vector<ValueType> infer(std::span<const ValueType> /*inputs*/) const override {
    Rows rows;
    for (const SegmentNumber& entry : numbers_) {
      GRADFLIP_REQUIRE(entry.segment >= 0 && entry.segment < kMaxSegments &&
                           segment_rows(entry.segment).mask > rows.mask,
                       "constant_rows: the segments must ascend");
      rows = rows | segment_rows(entry.segment);
    }
    return {{kDtype, {}, rows}};
  }

  void run(const Launch& launch) const override {
    T* out = launch.out<T>(0);
    for (const SegmentNumber& entry : numbers_) {
      const std::int64_t count = launch.segments[static_cast<std::size_t>(entry.segment)].count;
      fill_rows(launch, count, entry.number, out);
      out += count;
    }
  }

 private:
  static constexpr Dtype kDtype = std::is_same_v<T, float> ? Dtype::kF32 : Dtype::kI32;
  std::vector<SegmentNumber> numbers_;
};

}  // namespace

Value constant_rows(Graph& graph, std::span<const SegmentNumber> numbers) {
  return graph.append_one(std::make_shared<const ConstantRows<float>>(numbers), {});
}

Value constant_labels(Graph& graph, std::span<const SegmentNumber> numbers) {
  return graph.append_one(std::make_shared<const ConstantRows<std::int32_t>>(numbers), {});
}

const std::vector<SegmentNumber>* constant_numbers(const Op& op) {
  if (const auto* rows = dynamic_cast<const ConstantRows<float>*>(&op)) return &rows->numbers();
  const auto* labels = dynamic_cast<const ConstantRows<std::int32_t>*>(&op);
  return labels == nullptr ? nullptr : &labels->numbers();
}

}  // namespace gradflip::ops
