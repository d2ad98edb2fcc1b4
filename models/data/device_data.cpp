#include "models/data/device_data.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "kernels/require.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

void require_whole(const std::string& fault) {
  if (!fault.empty()) throw DataError(fault);
}

Samples whole(const Samples& samples, const std::string& name) {
  require_whole(fault_of(samples, name));
  return samples;
}

Samples whole(const Images& images, const std::string& name) {
  require_whole(fault_of(images, name));
  return samples_of(images);
}

std::span<const std::byte> whole(const DatasetShape& samples, std::span<const std::int32_t> labels,
                                 std::int64_t num_classes, const std::string& name) {
  require_whole(fault_of(samples, labels, num_classes, name));
  return std::as_bytes(labels);
}

// Whether what one context's kernels write is what the other's read.
struct SameMemory {
  bool operator()(Cpu /*a*/, Cpu /*b*/) const { return true; }
  bool operator()(Cuda a, Cuda b) const { return a.gpu->device == b.gpu->device; }
  template <typename A, typename B>
  bool operator()(A /*a*/, B /*b*/) const {
    return false;
  }
};

}  // namespace

ResidentBytes::ResidentBytes(const Context& context, std::span<const std::byte> bytes)
    : data_(bytes.data()) {
  if (std::holds_alternative<Cpu>(context)) return;
  copy_ = Buffer(context, static_cast<std::int64_t>(bytes.size()));
  copy_from_host(context, copy_.data(), bytes.data(), copy_.bytes());
  data_ = copy_.data();
}

DeviceData::DeviceData(const Context& context, const Samples& samples, std::string name)
    : name_(std::move(name)),
      context_(context),
      shape_(whole(samples, name_).dataset()),
      samples_(context, samples.bytes) {}

DeviceData::DeviceData(const Context& context, const UnlabelledImages& images,
                       const std::string& name)
    : DeviceData(context, whole(images.images, name), name) {}

void DeviceData::require_on(const Context& context) const {
  GRADFLIP_REQUIRE(std::visit(SameMemory(), context, context_),
                   message(name_, " lies in another device's memory than the run's"));
}

LabelledDeviceData::LabelledDeviceData(const Context& context, const Samples& samples,
                                       std::span<const std::int32_t> labels,
                                       std::int64_t num_classes, std::string name)
    : DeviceData(context, samples, std::move(name)),
      num_classes_(num_classes),
      labels_(context, whole(shape(), labels, num_classes, this->name())) {
  if (labels.empty()) return;
  const auto largest = std::max_element(labels.begin(), labels.end());
  largest_at_ = largest - labels.begin();
  largest_ = *largest;
}

LabelledDeviceData::LabelledDeviceData(const Context& context, const LabelledImages& images,
                                       const std::string& name)
    : LabelledDeviceData(context, whole(images.images, name), images.labels, images.num_classes,
                         name) {}

void LabelledDeviceData::require_labels_below(std::int64_t network_classes) const {
  if (largest_ < network_classes) return;
  throw DataError(message(name(), ": ", noun_of(shape().dtype), " ", largest_at_, " has the label ",
                          largest_, ", and the network's ", network_classes, " classes are 0 to ",
                          network_classes - 1));
}

}  // namespace gradflip
